import { StoreTrouble } from '../../engine/store.ts';

/** By the beginning of SQLite's codes, in words that callers may read. */
const REASONS: readonly [string, string][] = [
  ['SQLITE_FULL', 'the disk is full'],
  ['SQLITE_IOERR', 'the disk reports an error'],
  ['SQLITE_BUSY', 'another program has locked the file'],
  ['SQLITE_LOCKED', 'another program has locked the file'],
  ['SQLITE_READONLY', 'the file cannot be written any more'],
  ['SQLITE_CANTOPEN', 'the file cannot be opened any more'],
  ['SQLITE_CORRUPT', 'the file is damaged'],
  ['SQLITE_NOTADB', 'the file is damaged'],
];

/** Why a write failed; the cause says more, for the log. */
export function troubleOf(code: string, message: string): StoreTrouble {
  const reason = REASONS.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'it reports an error';
  return new StoreTrouble(reason, Object.assign(new Error(message), { code }));
}
