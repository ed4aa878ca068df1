import { statfsSync } from 'node:fs';
import { StoreTrouble } from '../../engine/store.ts';

/** By the beginning of SQLite's codes, in words that callers may read. */
const REASONS: readonly [string, string][] = [
  ['SQLITE_FULL', 'the disk is full'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk is full'],
  ['EIO', 'the disk reports an error'],
  ['SQLITE_IOERR', 'the disk reports an error'],
  ['SQLITE_BUSY', 'another program has locked the file'],
  ['SQLITE_LOCKED', 'another program has locked the file'],
  ['SQLITE_READONLY', 'the file cannot be written any more'],
  ['SQLITE_CANTOPEN', 'the file cannot be opened any more'],
  ['SQLITE_CORRUPT', 'the file is damaged'],
  ['SQLITE_NOTADB', 'the file is damaged'],
  ['SQLITE_PROTOCOL', 'another program has locked the file'],
  ['SQLITE_NOMEM', 'the machine has no memory left'],
];
/** Codes of the system: `EACCES`, not `ERR_INVALID_ARG_TYPE`. */
const SYSTEM_CODE = /^E[A-Z0-9]+$/;

/** Why the store cannot be used now, in words that callers may read; the cause says more, for the log. */
export function troubleOf(code: string, message: string): StoreTrouble {
  const reason = REASONS.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'it reports an error';
  return new StoreTrouble(reason, Object.assign(new Error(message), { code }));
}

/**
 * A {@link StoreTrouble} for what the disk or the system is to blame for, and may pass. Everything else, as a row that breaks a constraint, is a
 * fault of ours that trying again does not mend: that error stays as it is.
 */
export function toldOf(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoreTrouble) return error;
  const { code = '', message } = error as Error & { code?: unknown };
  if (typeof code !== 'string') return error;
  const mayPass = SYSTEM_CODE.test(code) || REASONS.some(([prefix]) => code.startsWith(prefix));
  return mayPass ? troubleOf(code, message) : error;
}

/** Codes of a disk that is full or reports errors, or of a file that is locked. That passes, where any other fault of opening a file stays. */
const PASSING = /^(SQLITE_FULL|SQLITE_IOERR|SQLITE_BUSY|SQLITE_LOCKED|ENOSPC$|EDQUOT$|EIO$)/;

/** Why a file in this folder cannot be opened now; null when the disk is not to blame. */
export function diskTroubleOf(error: unknown, folder: string): StoreTrouble | null {
  if (error instanceof StoreTrouble) return error;
  const { code = '', message } = error as Error & { code?: string };
  // SQLite does not say what kept it from making a file.
  const isFull = code.startsWith('SQLITE_IOERR_SHM') || code.startsWith('SQLITE_CANTOPEN') ? hasNoRoom(folder) : false;
  if (isFull) return troubleOf('SQLITE_FULL', message);
  return PASSING.test(code) ? troubleOf(code, message) : null;
}

function hasNoRoom(folder: string): boolean {
  try {
    const { bavail, blocks } = statfsSync(folder);
    return blocks > 0 && bavail === 0;
  } catch {
    return false;
  }
}
