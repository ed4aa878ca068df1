/**
 * Installs the client generators of tools/clients, unless they are, and tests what they make of the OpenAPI documents, the types of our own client among it.
 *
 *   node scripts/clients-check.ts
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installClients } from './clients-install.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
installClients();

const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/clients/vitest.config.ts', ...process.argv.slice(2)];
const env = { TEST_REPORT: 'test-results/clients.json', ...process.env };
const statuses = [['scripts/client-types.ts', '--check'], vitest].map(
  (args) => spawnSync(process.execPath, args, { stdio: 'inherit', env }).status,
);
process.exitCode = statuses.find((status) => status !== 0) ?? (statuses.includes(null) ? 1 : 0);
