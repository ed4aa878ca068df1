/**
 * Looks after a store. `backup` and `check` work while the service does; the others need the store for themselves.
 *
 *   npm run store -- backup FILE            writes a copy of the store of STORE_URL to FILE, which must not be there yet
 *   npm run store -- check [FILE|URL]       reads a store through (by default that of STORE_URL), says what is in it and what is wrong
 *   npm run store -- migrate FROM TO        moves everything from a file: URL to a postgres: URL with an empty schema, or back to a file that is not there yet
 *   npm run store -- remove PIPELINE        deletes a pipeline with its items from the file of STORE_URL
 *   npm run store -- compact                gives the disk what the file of STORE_URL no longer needs
 *
 * To restore a file, stop the service, move the old one and its -wal and -shm away, put the backup in its place, and start.
 * Exit code 0 when all is well, 1 when something is wrong with the store, 78 when it cannot be used at all.
 */
import { tmpdir } from 'node:os';
import { EntryFault, UnknownFormat } from './cluster/entry/entry.ts';
import { isPostgresUrl, UnusableServer } from './cluster/postgres/index.ts';
import { LeftBehind } from './cluster/replica.ts';
import { CannotRestore } from './cluster/restoring.ts';
import { ConfigError, loadConfig, storeFileOf, storeUrlOf } from './config.ts';
import { StoreTrouble } from './engine/store.ts';
import { MoveRefused } from './migration/errors.ts';
import { backupFromPostgres, lookAtPostgres, moveFromPostgres } from './migration/from-postgres.ts';
import { moveToPostgres } from './migration/to-postgres.ts';
import { audit } from './stores/sqlite/audit.ts';
import { backup } from './stores/sqlite/backup.ts';
import { compact } from './stores/sqlite/compact.ts';
import { StoreFileError } from './stores/sqlite/file.ts';
import { removePipeline } from './stores/sqlite/remove.ts';

const EXIT_FAULTS = 1;
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;
const USAGE = ['backup FILE', 'check [FILE|URL]', 'migrate FROM TO', 'remove PIPELINE', 'compact'];

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

function configuredFile(): string {
  const { storeUrl } = loadConfig(process.env);
  const file = storeFileOf(storeUrl);
  if (file === undefined) throw new ConfigError('The store is not a file', [`STORE_URL is ${storeUrl}; this command needs a file: URL`]);
  return file;
}

function check(file: string, name = file): void {
  const { version, bytes, freeBytes, pipelines, limiters, faults } = audit(file);
  say(`${name}: format ${version}, ${bytes} bytes, ${freeBytes} of them free, ${pipelines.length} pipelines`);
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

/** Restores what PostgreSQL has to a file that goes again, and reads that through. */
async function checkPostgres(url: string): Promise<void> {
  await lookAtPostgres(url, tmpdir(), async ({ backbone, server, shown }, file) => {
    for (const { name, value, isWarning, meaning } of server)
      say(`${isWarning ? 'Warning: ' : ''}${name} = ${value || '(empty)'}: ${meaning}`);
    const { first, last } = await backbone.log.ends();
    const snapshot = await backbone.snapshots.newest();
    const nodes = await backbone.presence.list();
    say(
      last === 0
        ? 'The log is empty.'
        : `The log has the entries ${first} to ${last}; the newest snapshot is ${snapshot?.position ?? 'missing'}.`,
    );
    for (const { name, role, position } of nodes) say(`  ${name} (${role}) has applied entry ${position}`);
    check(file, shown);
  });
}

async function migrate(from: string, to: string): Promise<void> {
  const [source, target] = [storeFileOf(from), storeFileOf(to)];
  if (source !== undefined && isPostgresUrl(to)) {
    const { shown } = await moveToPostgres(source, to);
    say(`${source} has been moved to ${shown}. The file is as it was; start no service with it any more.`);
  } else if (isPostgresUrl(from) && target !== undefined) {
    const { shown, position } = await moveFromPostgres(from, target);
    say(`${shown} has been moved to ${target}, up to entry ${position}. Start no node with it any more.`);
  } else {
    throw new ConfigError('Nothing can be moved', ['migrate needs a file: URL and a postgres: URL, the one to read first']);
  }
}

const [command, file, ...rest] = process.argv.slice(2);
try {
  const url = storeUrlOf(process.env);
  if (command === 'backup' && file !== undefined && rest.length === 0) {
    const bytes = isPostgresUrl(url) ? (await backupFromPostgres(url, file)).bytes : backup(configuredFile(), file);
    say(`${file}: ${bytes} bytes`);
  } else if (command === 'check' && rest.length === 0) {
    if (isPostgresUrl(file ?? url)) await checkPostgres(file ?? url);
    else check(file ?? configuredFile());
  } else if (command === 'migrate' && file !== undefined && rest.length === 1) {
    await migrate(file, rest[0] as string);
  } else if (command === 'remove' && file !== undefined && rest.length === 0) {
    const from = configuredFile();
    await removePipeline(from, file);
    say(`${from}: the pipeline "${file}" has been removed`);
  } else if (command === 'compact' && file === undefined) {
    const compacted = configuredFile();
    const { before, after } = compact(compacted);
    say(`${compacted}: ${before} bytes before, ${after} bytes after`);
  } else {
    complain(USAGE.map((usage) => `npm run store -- ${usage}`).join('\n'));
    process.exitCode = EXIT_USAGE;
  }
} catch (error) {
  const isTold = [
    CannotRestore,
    EntryFault,
    LeftBehind,
    UnknownFormat,
    StoreFileError,
    StoreTrouble,
    ConfigError,
    MoveRefused,
    UnusableServer,
  ].some((kind) => error instanceof kind);
  if (!isTold) throw error;
  complain((error as Error).message);
  process.exitCode = EXIT_CONFIG;
}
