import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { compact } from '../../src/stores/sqlite/compact.ts';
import { compactingOf } from '../../src/stores/sqlite/file.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';
import { livesOf } from './durable-host.ts';

const MIB = 1024 * 1024;
const TEXT = 'What nobody reads any more. '.repeat(80);
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('SKIPPED: only root can give a file to another user, and mount a small disk\n');
const runsAsRoot = isRoot || process.env.CI === 'true';

/** Ends its process before one of the calls that compaction makes to the file system, by their number; 0: before none. */
const KILL = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
let calls = 0;
for (const name of ['statfsSync', 'fsyncSync', 'renameSync']) {
  const call = fs[name];
  fs[name] = (...args) => {
    if (++calls === Number(process.env.KILL_AT)) process.kill(process.pid, 'SIGKILL');
    return call(...args);
  };
}
syncBuiltinESMExports();
process.on('exit', () => fs.writeSync(1, 'calls: ' + calls));
`;

const definition = (id: string) => ({ id, stages: [{ name: 'A', workers: 4, tasks: ['keep'] }] });
const items = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `i-${i}`, value: { i, text: TEXT } }));

/** A store that is mostly free: of two pipelines the larger one was removed. Stopped, with everything in `p`. */
async function wornStore() {
  const lives = livesOf({ keep: (value) => value });
  const { host, stop } = await lives.begin();
  for (const id of ['p', 'removed']) await host.create(definition(id));
  await host.get('removed').run(items(1500), {});
  await host.get('p').run(items(150), { feedId: 'first' });
  await host.remove('removed', 'force');
  await host.get('p').pause();
  await host.get('p').feed([{ id: 'waiting', value: 'w' }], { feedId: 'second' });
  const { asOf } = await host.get('p').stats();
  await stop();
  return { lives, file: lives.file(), epoch: String(asOf).split('-')[0] };
}

function compactCommand(file: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/store.ts', 'compact'], {
    env: { PATH: process.env.PATH, STORE_URL: `file:${file}` },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

/** What is beside a file and was not meant to stay. */
const leftBeside = (file: string): string[] => readdirSync(dirname(file)).filter((name) => /-(compacting|journal|wal|shm)/.test(name));

function expectAll(file: string): void {
  const { faults, pipelines } = audit(file);
  expect(faults).toEqual([]);
  expect(pipelines).toMatchObject([{ id: 'p', fed: 151, items: { completed: 150, queued: 1 }, feeds: 2 }]);
}

describe('store compact', () => {
  it('gives back what is free, and a service goes on from there as if nothing had been done', { timeout: 120_000 }, async () => {
    const { lives, file, epoch } = await wornStore();
    const { bytes, freeBytes } = audit(file);
    expect(freeBytes).toBeGreaterThan(bytes / 2);
    const { status, stdout, stderr } = compactCommand(file);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [, before, after] = /: (\d+) bytes before, (\d+) bytes after\n$/.exec(stdout) ?? [];
    expect(Number(before)).toBe(bytes);
    expect(Number(after)).toBe(statSync(file).size);
    expect(Number(after)).toBeLessThan(bytes / 2);
    expect(audit(file)).toMatchObject({ freeBytes: 0, version: audit(file).version });
    expectAll(file);
    expect(leftBeside(file)).toEqual([]);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const next = await lives.begin();
    const p = next.host.get('p');
    // The same file to readers of events: no gap.
    expect(String((await p.stats()).asOf).split('-')[0]).toBe(epoch);
    await p.resume();
    await p.join();
    expect(await p.item('waiting')).toMatchObject({ status: 'completed', feedId: 'second', value: 'w' });
    await next.stop();
  });

  it('removes what a pipeline has left that was removed just before the end', async () => {
    const { file } = await wornStore();
    const db = new Database(file);
    db.exec("UPDATE pipelines SET is_dropped = 1 WHERE id = 'p'");
    db.close();
    compact(file);
    const after = new Database(file, { readonly: true });
    expect(after.prepare('SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM pipelines) AS rows').get()).toEqual({ rows: 0 });
    after.close();
  });

  it('leaves the format as it is', () => {
    const file = join(folderWith(), 'old.db');
    writeFileSync(file, gunzipSync(readFileSync('test/stores/fixtures/format-2.db.gz')));
    const { version, pipelines } = audit(file);
    compact(file);
    expect(audit(file)).toMatchObject({ version, pipelines, faults: [] });
  });

  it('compacts the file that a link leads to', async () => {
    const { file } = await wornStore();
    const link = join(folderWith(), 'link.db');
    symlinkSync(file, link);
    expect(compact(link).after).toBe(statSync(file).size);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(realpathSync(link)).toBe(realpathSync(file));
    expectAll(file);
  });

  it.skipIf(!runsAsRoot)('leaves the file to its user, whoever compacts it', async () => {
    const { file } = await wornStore();
    chownSync(file, 1234, 4321);
    // Made anew by whoever compacts, it would keep the service out.
    rmSync(`${file}-lock`);
    compact(file);
    for (const path of [file, `${file}-lock`]) expect(statSync(path), path).toMatchObject({ uid: 1234, gid: 4321 });
  });
});

describe('store compact refuses', () => {
  it('a file that a service works with, which notices nothing', async () => {
    const lives = livesOf({ keep: (value) => value });
    const { host, stop } = await lives.begin();
    await host.create(definition('p'));
    const file = lives.file();
    const inUse = { status: 78, stdout: '', stderr: expect.stringContaining('is in use by another process') };
    expect(compactCommand(file)).toEqual(inUse);
    // The file itself says so, too.
    rmSync(`${file}-lock`);
    expect(compactCommand(file)).toEqual(inUse);
    expect((await host.get('p').run(items(3), {})).results).toHaveLength(3);
    await stop();
    expect(audit(file).faults).toEqual([]);
  });

  it('a file that another program has open', async () => {
    const { file } = await wornStore();
    const other = new Database(file);
    other.pragma('journal_mode = WAL');
    other.prepare('SELECT count(*) FROM items').get();
    expect(() => compact(file)).toThrow('is open in another program');
    other.close();
    expect(existsSync(compactingOf(file))).toBe(false);
    expectAll(file);
    expect(compact(file).after).toBeLessThan(MIB);
  });

  it('what is no store, and leaves nothing beside it', () => {
    const folder = folderWith({ 'text.db': 'This is a text of some length, and no database at all.'.repeat(10) });
    expect(() => compact(join(folder, 'none.db'))).toThrow('does not exist');
    expect(() => compact(join(folder, 'text.db'))).toThrow('is not an SQLite database');
    expect(readdirSync(folder)).toEqual(['text.db']);
    expect(compactCommand(join(folder, 'none.db'))).toMatchObject({ status: 78, stderr: expect.stringContaining('does not exist') });
  });

  it('a damaged file, which stays as it is', async () => {
    const { file } = await wornStore();
    const bytes = readFileSync(file);
    // In the middle, where rows are.
    bytes.fill(0xff, Math.floor(bytes.length / 8192) * 4096, Math.floor(bytes.length / 8192) * 4096 + 4096);
    for (let at = 40_960; at < 81_920; at++) bytes[at] = 0xff;
    writeFileSync(file, bytes);
    expect(() => compact(file)).toThrow('is damaged');
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it('to begin where there is too little room, and says how much it needs', async () => {
    const { file } = await wornStore();
    const inode = statSync(file).ino;
    const { bytes, freeBytes } = audit(file);
    expect(() => compact(file, () => bytes - freeBytes)).toThrow(/has \d+ bytes free, and compacting .* needs \d+/);
    expect(statSync(file).ino).toBe(inode);
    expect(leftBeside(file)).toEqual([]);
    expectAll(file);
    // Less than the file has is enough.
    expect(bytes - freeBytes + 2 * MIB).toBeLessThan(bytes);
    expect(compact(file, () => bytes - freeBytes + 2 * MIB).after).toBeLessThan(bytes);
  });
});

describe('store compact that is cut short', () => {
  it.skipIf(!runsAsRoot)('by a disk that is full after all leaves the file as it was, and no copy', async () => {
    const { file } = await wornStore();
    const small = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
    const size = statSync(file).size + 128 * 1024;
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', small]).status).toBe(0);
    onTestFinished(() => {
      spawnSync('umount', ['-l', small]);
      rmSync(small, { recursive: true, force: true });
    });
    const there = join(small, 'sluice.db');
    copyFileSync(file, there);
    const { bavail, bsize } = statfsSync(small);
    expect(bavail * bsize).toBeLessThan(MIB);
    expect(compactCommand(there)).toMatchObject({ status: 78, stderr: expect.stringMatching(/bytes free, and compacting .* needs/) });
    expect(() => compact(there, () => Number.POSITIVE_INFINITY)).toThrow('the disk is full');
    expect(leftBeside(there)).toEqual([]);
    expectAll(there);
  });

  it('by a kill, before each of its steps, has the whole file, and the next start tidies up', { timeout: 120_000 }, async () => {
    const { file } = await wornStore();
    const before = statSync(file).size;
    const killed = async (calls: number): Promise<{ copies: boolean; isSmall: boolean; calls: number }> => {
      const copy = join(folderWith({ 'kill.mjs': KILL }), 'sluice.db');
      copyFileSync(file, copy);
      const child = spawn(process.execPath, ['--import', join(dirname(copy), 'kill.mjs'), 'src/store.ts', 'compact'], {
        env: { PATH: process.env.PATH, STORE_URL: `file:${copy}`, KILL_AT: String(calls) },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      const [, signal] = await once(child, 'close');
      expect(signal).toBe(calls === 0 ? null : 'SIGKILL');
      const found = { copies: existsSync(compactingOf(copy)), isSmall: statSync(copy).size < before };
      expectAll(copy);
      const store = await openSqliteStore({ file: copy, inProcess: true });
      await store.close();
      expect(leftBeside(copy)).toEqual([]);
      expectAll(copy);
      return { ...found, calls: Number(/calls: (\d+)/.exec(out)?.[1]) };
    };
    const { calls, ...whole } = await killed(0);
    expect(whole).toEqual({ copies: false, isSmall: true });
    const cuts = await Promise.all(Array.from({ length: calls }, (_, i) => killed(i + 1)));
    // The copy is there for a while, and then it is the file.
    expect(cuts.filter(({ copies }) => copies).length).toBeGreaterThan(1);
    expect(cuts.at(-1)).toMatchObject({ copies: false, isSmall: true });
    expect(cuts.map(({ isSmall }) => isSmall)).toEqual(cuts.map(({ isSmall }) => isSmall).sort());
  });
});
