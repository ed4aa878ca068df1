/**
 * Checks the import rules of `.dependency-cruiser.mjs`.
 *
 * A cruise that parses nothing finds no violation, so a green run proves something only together with the count: the check also
 * fails when a TypeScript file of src, routes or tasks is missing from the modules that were cruised.
 */
import { existsSync, globSync } from 'node:fs';
import { sep } from 'node:path';
import { cruise, format, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';

const productFolders = ['src', 'routes', 'tasks'];
const otherFolders = ['test', 'bench', 'scripts', 'examples', 'dashboard'];

const folders = [...productFolders, ...otherFolders].filter((folder) => existsSync(folder));
const options = await extractDepcruiseOptions('./.dependency-cruiser.mjs');
const { output } = await cruise(folders, options);
const result = output as ICruiseResult;

const report = await format(result, { outputType: 'err' });
console.log(String(report.output).trim());

const cruised = new Set(result.modules.map((module) => module.source));
const product = globSync(productFolders.map((folder) => `${folder}/**/*.ts`)).map((path) => path.split(sep).join('/'));
const missed = product.filter((path) => !cruised.has(path));

if (product.length === 0) console.error('No TypeScript file below src, routes or tasks: nothing was checked.');
if (missed.length > 0) console.error(`${missed.length} of ${product.length} product files were not cruised:\n  ${missed.join('\n  ')}`);
if (result.summary.error > 0 || missed.length > 0 || product.length === 0) process.exitCode = 1;
