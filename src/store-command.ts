import { existsSync } from 'node:fs';
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

/** The file of STORE_URL. Another store is refused before the rest of the configuration is looked at; of its address only the scheme is shown, since the rest can hold a password. */
function configuredFile(): string {
  const url = storeUrlOf(process.env);
  const [scheme] = /^(?:postgres(?:ql)?|memory):/i.exec(url) ?? [];
  if (scheme !== undefined) {
    throw new ConfigError('The store is not a file', [`STORE_URL begins with ${scheme.toLowerCase()} and this command needs a file: URL`]);
  }
  const { storeUrl } = loadConfig(process.env);
  return storeFileOf(storeUrl) as string;
}

/** The argument of `check`: a path, or the URL of a file. Throws a ConfigError for the address of anything else. */
function givenFile(given: string): string {
  const file = storeFileOf(given);
  if (file === undefined && !existsSync(given) && /^[a-z][a-z0-9+.-]+:/i.test(given)) {
    throw new ConfigError('Nothing can be checked', [
      `check needs a path, a file: URL or a postgres: URL, not ${given.slice(0, given.indexOf(':') + 1)}`,
    ]);
  }
  return file ?? given;
}

/** Prints what is in a file of a store; the exit code says whether anything is wrong with it. */
function check(file: string, name = file): number {
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
  return faults.length > 0 ? EXIT_FAULTS : 0;
}

/** Restores what PostgreSQL has to a file that goes again, and reads that through. */
async function checkPostgres(url: string): Promise<number> {
  let code = 0;
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
    code = check(file, shown);
  });
  return code;
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

/** The reason of a store that cannot be used now is for everybody; who runs the command may know the rest. */
function toldOf(error: Error): string {
  const { message, cause } = error;
  return error instanceof StoreTrouble && cause instanceof Error ? `${message}: ${cause.message}` : message;
}

/** Carries a command out. `caller`: what stands before it on the command line. Resolves with the exit code. */
export async function storeCommand([command, file, ...rest]: readonly string[], caller: string): Promise<number> {
  try {
    const url = storeUrlOf(process.env);
    if (command === 'backup' && file !== undefined && rest.length === 0) {
      const bytes = isPostgresUrl(url) ? (await backupFromPostgres(url, file)).bytes : backup(configuredFile(), file);
      say(`${file}: ${bytes} bytes`);
    } else if (command === 'check' && rest.length === 0) {
      return isPostgresUrl(file ?? url) ? await checkPostgres(file ?? url) : check(file === undefined ? configuredFile() : givenFile(file));
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
      complain(USAGE.map((usage) => `${caller} ${usage}`).join('\n'));
      return EXIT_USAGE;
    }
    return 0;
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
    complain(toldOf(error as Error));
    return EXIT_CONFIG;
  }
}
