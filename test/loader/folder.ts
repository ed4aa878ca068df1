import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Does something when a test is over. A test that runs beside others has its own in its context; vitest's belongs to whichever began last. */
export type WhenFinished = (undo: () => void) => void;

/** A new folder with these files in it, by their relative names; gone when the test is over. */
export function folderWith(files: Record<string, string> = {}, whenFinished: WhenFinished = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  whenFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
