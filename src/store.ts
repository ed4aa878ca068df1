/**
 * Looks after a store file. `backup` and `check` work while the service does; `remove` and `compact` need the file for themselves.
 *
 *   npm run store -- backup FILE            writes a copy of the store of STORE_URL to FILE, which must not be there yet
 *   npm run store -- check [FILE]           reads a store through (by default that of STORE_URL), says what is in it and what is wrong
 *   npm run store -- remove PIPELINE        deletes a pipeline with its items from the store of STORE_URL, while the service does not run
 *   npm run store -- compact                gives the disk what the store of STORE_URL no longer needs, while the service does not run
 *
 * To restore, stop the service, move the old file and its -wal and -shm away, put the backup in its place, and start.
 * Exit code 0 when all is well, 1 when something is wrong with the file, 78 when it cannot be used at all.
 */
import { ConfigError, loadConfig, storeFileOf } from './config.ts';
import { StoreTrouble } from './engine/store.ts';
import { audit } from './stores/sqlite/audit.ts';
import { backup } from './stores/sqlite/backup.ts';
import { compact } from './stores/sqlite/compact.ts';
import { StoreFileError } from './stores/sqlite/file.ts';
import { removePipeline } from './stores/sqlite/remove.ts';

const EXIT_FAULTS = 1;
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

function configuredFile(): string {
  const { storeUrl } = loadConfig(process.env);
  const file = storeFileOf(storeUrl);
  if (file === undefined) throw new ConfigError('The store is not a file', [`STORE_URL is ${storeUrl}; this command needs a file: URL`]);
  return file;
}

function check(file: string): void {
  const { version, bytes, freeBytes, pipelines, limiters, faults } = audit(file);
  say(`${file}: format ${version}, ${bytes} bytes, ${freeBytes} of them free, ${pipelines.length} pipelines`);
  for (const { id, state, items, fed, retired, feeds, events } of pipelines) {
    const kinds = Object.entries(items).map(([status, count]) => `${count} ${status}`);
    say(`  ${id} (${state}): ${fed} fed, ${kinds.join(', ') || 'no items'}; ${retired} retired, ${feeds} feeds, ${events} events`);
  }
  if (limiters.changed + limiters.windows > 0)
    say(`  limiters: ${limiters.changed} changed by hand, ${limiters.windows} windows and holds`);
  for (const fault of faults) complain(`  wrong: ${fault}`);
  say(faults.length === 0 ? 'All is well.' : `${faults.length} faults.`);
  if (faults.length > 0) process.exitCode = EXIT_FAULTS;
}

const [command, file, ...rest] = process.argv.slice(2);
try {
  if (command === 'backup' && file !== undefined && rest.length === 0) {
    say(`${file}: ${backup(configuredFile(), file)} bytes`);
  } else if (command === 'check' && rest.length === 0) {
    check(file ?? configuredFile());
  } else if (command === 'remove' && file !== undefined && rest.length === 0) {
    const from = configuredFile();
    await removePipeline(from, file);
    say(`${from}: the pipeline "${file}" has been removed`);
  } else if (command === 'compact' && file === undefined) {
    const compacted = configuredFile();
    const { before, after } = compact(compacted);
    say(`${compacted}: ${before} bytes before, ${after} bytes after`);
  } else {
    complain('npm run store -- backup FILE\nnpm run store -- check [FILE]\nnpm run store -- remove PIPELINE\nnpm run store -- compact');
    process.exitCode = EXIT_USAGE;
  }
} catch (error) {
  if (!(error instanceof StoreFileError || error instanceof StoreTrouble || error instanceof ConfigError)) throw error;
  complain(error.message);
  process.exitCode = EXIT_CONFIG;
}
