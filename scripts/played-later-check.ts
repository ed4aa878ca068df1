/**
 * Fails when a file that the suite left out has passed in none of the JSON reports it is given, and names it.
 *
 *   node scripts/played-later-check.ts test-results/chaos.json test-results/simulations.json
 */
import { fileURLToPath } from 'node:url';
import { PLAYED_LATER } from './played-later.ts';
import { notPassed, readReport } from './test-reports.ts';

const reports = process.argv.slice(2).flatMap((path) => readReport(path) ?? []);
const missing = notPassed(PLAYED_LATER, reports, fileURLToPath(new URL('../', import.meta.url)));
for (const file of missing) console.error(`${file} was left out of the suite, and has passed nowhere else`);
if (missing.length > 0) process.exitCode = 1;
