/**
 * Installs the client generators of tools/clients, unless they are, and tests what they make of the OpenAPI documents.
 *
 *   node scripts/clients-check.ts
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const FOLDER = 'tools/clients';
/** The lock file that the folder was installed from; npm deletes it with the rest when it begins again. */
const installed = join(FOLDER, 'node_modules/.installed-lock.json');
const wanted = readFileSync(join(FOLDER, 'package-lock.json'), 'utf8');

if (!existsSync(installed) || readFileSync(installed, 'utf8') !== wanted) {
  execFileSync('npm', ['ci', '--loglevel=error'], { cwd: FOLDER, stdio: 'inherit' });
  writeFileSync(installed, wanted);
}

const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/clients/vitest.config.ts', ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, vitest, {
  stdio: 'inherit',
  env: { TEST_REPORT: 'test-results/clients.json', ...process.env },
});
process.exitCode = status ?? 1;
