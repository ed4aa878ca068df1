import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { Blame } from '../../engine/store.ts';

export const blameOf = (file: string): string => `${file}-blamed`;

/**
 * Says beside the store who is about to end this process, so that the next one counts it on nobody else: `null` for nobody. Whoever ends the
 * process calls it, in whichever thread; it is whole or not there.
 */
export function writeBlame(path: string, blame: Blame | null): void {
  const next = `${path}.new`;
  const fd = openSync(next, 'w', 0o600);
  try {
    writeSync(fd, JSON.stringify({ blame }));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, path);
}

/** undefined: nothing is known. What cannot be read says nothing either. */
export function readBlame(path: string): Blame | null | undefined {
  try {
    const { blame } = JSON.parse(readFileSync(path, 'utf8')) as { blame: Blame | null };
    if (blame === null) return null;
    return typeof blame?.pipeline === 'string' && Number.isSafeInteger(blame.sequenceId) ? blame : undefined;
  } catch {
    return undefined;
  }
}

export function forgetBlame(path: string): void {
  rmSync(path, { force: true });
}
