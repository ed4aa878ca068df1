import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { backup } from '../../src/stores/sqlite/backup.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { createLineWriter } from '../../tasks/kit/line-writer.ts';
import { folderWith } from '../loader/folder.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const modesIn = (folder: string): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, modeOf(join(folder, name))]));

/** For the time of the test. */
function withUmask(umask: number): void {
  const before = process.umask(umask);
  onTestFinished(() => void process.umask(before));
}

describe.each([0o000, 0o022, 0o077])('with umask %o', (umask) => {
  it('everything of a store is for its owner alone, its folder and its backup too', async () => {
    withUmask(umask);
    const folder = join(folderWith(), 'data');
    const file = join(folder, 'sluice.db');
    const store = await openSqliteStore({ file });
    store.blame(null);
    store.marks.set(0, 1, 1, 1);
    store.marks.write();
    backup(file, join(folder, 'copy.db'));
    const modes = modesIn(folder);
    await store.close();
    expect(Object.keys(modes)).toEqual(
      expect.arrayContaining([
        'copy.db',
        'sluice.db',
        'sluice.db-blamed',
        'sluice.db-lock',
        'sluice.db-running',
        'sluice.db-shm',
        'sluice.db-wal',
      ]),
    );
    expect(new Set(Object.values(modes))).toEqual(new Set(['600']));
    expect(modeOf(folder)).toBe('700');
  });

  it('what file_append writes is for its owner alone, with the folders on the way', async () => {
    withUmask(umask);
    const folder = join(folderWith(), 'output');
    await createLineWriter(folder).append('deep/er/lines.txt', 'line');
    expect(['', 'deep', 'deep/er', 'deep/er/lines.txt'].map((path) => modeOf(join(folder, path)))).toEqual(['700', '700', '700', '600']);
  });
});

describe('files that were there', () => {
  it('are tightened when they are of a store', async () => {
    withUmask(0o022);
    const folder = folderWith();
    const file = join(folder, 'sluice.db');
    await (await openSqliteStore({ file })).close();
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o644);
    const store = await openSqliteStore({ file });
    const modes = modesIn(folder);
    await store.close();
    expect(new Set(Object.values(modes))).toEqual(new Set(['600']));
  });

  it('keep their mode when file_append writes to them: somebody has chosen it', async () => {
    withUmask(0o022);
    const folder = folderWith();
    mkdirSync(join(folder, 'shared'), { mode: 0o755 });
    writeFileSync(join(folder, 'shared/lines.txt'), '', { mode: 0o644 });
    await createLineWriter(folder).append('shared/lines.txt', 'line');
    expect(modeOf(join(folder, 'shared/lines.txt'))).toBe('644');
    expect(modeOf(join(folder, 'shared'))).toBe('755');
  });
});
