import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import type { Logger } from '../../src/engine/ports.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { fileAppend } from '../../tasks/file_append.ts';
import { folderWith } from '../loader/folder.ts';
import { faultsIn, use } from './running.ts';

const linesOf = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('appending', () => {
  it('writes one line of JSON and lets the value pass unchanged', async () => {
    const outputDir = folderWith();
    const value = { text: 'two\nlines' };
    expect(await use(fileAppend({ outputDir }), { file: 'out.ndjson' })(value)).toBe(value);
    expect(readFileSync(join(outputDir, 'out.ndjson'), 'utf8')).toBe('{"text":"two\\nlines"}\n');
  });

  it('creates the output folder and the folders of the name', async () => {
    const outputDir = join(folderWith(), 'not', 'there');
    await use(fileAppend({ outputDir }), { file: '2026/november/out.ndjson' })(1);
    expect(linesOf(join(outputDir, '2026/november/out.ndjson'))).toEqual([1]);
  });

  it('keeps what is in the file', async () => {
    const outputDir = folderWith({ 'out.ndjson': '"earlier"\n' });
    await use(fileAppend({ outputDir }), { file: 'out.ndjson' })('now');
    expect(linesOf(join(outputDir, 'out.ndjson'))).toEqual(['earlier', 'now']);
  });

  it('writes null for undefined', async () => {
    const outputDir = folderWith();
    expect(await use(fileAppend({ outputDir }), { file: 'out.ndjson' })(undefined)).toBeUndefined();
    expect(linesOf(join(outputDir, 'out.ndjson'))).toEqual([null]);
  });

  it('never mixes lines that are written at the same time, however long, and keeps their order', async () => {
    const outputDir = folderWith();
    const task = fileAppend({ outputDir });
    const uses = [use(task, { file: 'out.ndjson' }), use(task, { file: 'out.ndjson' })];
    const values = Array.from({ length: 400 }, (_, index) => ({ index, text: String(index % 10).repeat((index % 7) * 20_000) }));
    await Promise.all(values.map((value, index) => uses[index % 2]?.(value)));
    expect(linesOf(join(outputDir, 'out.ndjson'))).toEqual(values);
  });

  it('fails for good on a value that is no JSON, and leaves the file alone', async () => {
    const outputDir = folderWith();
    const thrown = await use(fileAppend({ outputDir }), { file: 'out.ndjson' })(1n).catch(describeThrown);
    expect(thrown).toMatchObject({ permanent: true });
    expect(existsSync(join(outputDir, 'out.ndjson'))).toBe(false);
  });

  it('goes on after a write that failed', async () => {
    const outputDir = folderWith({ blocked: '' });
    const run = use(fileAppend({ outputDir: join(outputDir, 'blocked') }), { file: 'out.ndjson' });
    const results = await Promise.allSettled([run(1), run(2)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(run(3)).rejects.toMatchObject({ code: 'EEXIST' });
  });
});

describe('a name that leads outside', () => {
  it.each([
    '',
    '/etc/passwd',
    '..',
    '../out.ndjson',
    'a/../../out.ndjson',
    'a/./out.ndjson',
    'a//out.ndjson',
    'a/',
    'C:/out.ndjson',
    '..\\out.ndjson',
    'out\0.ndjson',
    'out\n.ndjson',
    'out\u202endjson.exe',
    'out\u2066.ndjson',
    'out\u2028.ndjson',
    'out\ud800.ndjson',
    'x'.repeat(1025),
  ])('is refused when the definition is made: %j', (file) => {
    expect(faultsIn(fileAppend({ outputDir: 'unused' }), { file })).toMatchObject([{ path: '/file' }]);
  });

  it.each(['...', 'a..b/c', '.hidden', 'ä b.ndjson', '注文.ndjson', 'گزارش\u200cها.ndjson'])('is not suspected in %j', (file) => {
    expect(faultsIn(fileAppend({ outputDir: 'unused' }), { file })).toEqual([]);
  });
});

describe('a link in the output folder', () => {
  async function thrownFor(outputDir: string, file: string): Promise<unknown> {
    return use(fileAppend({ outputDir }), { file })(1).catch(describeThrown);
  }

  it('is refused when it leads to a file outside', async () => {
    const outside = folderWith({ secret: 'old' });
    const outputDir = folderWith();
    symlinkSync(join(outside, 'secret'), join(outputDir, 'out.ndjson'));
    expect(await thrownFor(outputDir, 'out.ndjson')).toMatchObject({ permanent: true });
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('old');
  });

  it('is refused when it leads to a folder outside, where nothing is created', async () => {
    const outside = folderWith();
    const outputDir = folderWith();
    symlinkSync(outside, join(outputDir, 'link'));
    expect(await thrownFor(outputDir, 'link/deeper/out.ndjson')).toMatchObject({ permanent: true });
    expect(existsSync(join(outside, 'deeper'))).toBe(false);
  });

  it('is refused when it leads to nothing', async () => {
    const outside = folderWith();
    const outputDir = folderWith();
    symlinkSync(join(outside, 'new'), join(outputDir, 'out.ndjson'));
    expect(await thrownFor(outputDir, 'out.ndjson')).toMatchObject({ permanent: true });
    expect(existsSync(join(outside, 'new'))).toBe(false);
  });

  it('is followed when it stays inside', async () => {
    const outputDir = folderWith({ 'real.ndjson': '' });
    symlinkSync('real.ndjson', join(outputDir, 'out.ndjson'));
    await use(fileAppend({ outputDir }), { file: 'out.ndjson' })(1);
    expect(linesOf(join(outputDir, 'real.ndjson'))).toEqual([1]);
  });

  it('may be the output folder itself', async () => {
    const real = folderWith();
    const outputDir = join(folderWith(), 'link');
    symlinkSync(real, outputDir);
    await use(fileAppend({ outputDir }), { file: 'out.ndjson' })(1);
    expect(linesOf(join(real, 'out.ndjson'))).toEqual([1]);
  });
});

it('refuses to write to what is no file', async () => {
  const outputDir = folderWith();
  mkdirSync(join(outputDir, 'out.ndjson'));
  await expect(use(fileAppend({ outputDir }), { file: 'out.ndjson' })(1)).rejects.toThrow(/EISDIR/);
});

describe('a file that cannot be written', () => {
  it.each([
    ['a folder', 'there', 'EISDIR', 'it is a folder'],
    ['too long', 'x'.repeat(300), 'ENAMETOOLONG', 'its name is too long'],
    ['below a file', 'file/out.ndjson', 'ENOTDIR', 'what should be a folder is a file'],
  ])('fails the item without a word of where the output folder is, which the log has: %s', async (_, file, code, why) => {
    const outputDir = folderWith({ file: '' });
    mkdirSync(join(outputDir, 'there'));
    const logged: [object, string][] = [];
    const logger = { ...silentLogger, warn: (about: object, text: string) => void logged.push([about, text]) } as Logger;
    const thrown = await use(fileAppend({ outputDir }), { file }, { logger })(1).catch(describeThrown);
    expect(thrown).toMatchObject({ type: 'FileNotWritten', permanent: false });
    expect(thrown).toMatchObject({ message: `the file "${file}" cannot be written: ${why} (${code})` });
    expect(JSON.stringify(thrown)).not.toContain(outputDir);
    expect(logged).toEqual([
      [expect.objectContaining({ task: 'file_append', item: 'item-1', cause: expect.stringContaining(outputDir) }), expect.any(String)],
    ]);
  });
});
