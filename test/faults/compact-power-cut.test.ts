/** Power cuts while a store is compacted: what it writes is recorded with its syncs, and the disk of a cut at any moment is made of it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { Random } from '../engine/simulation/random.ts';
import { folderWith } from '../loader/folder.ts';
import { SEED } from '../seed.ts';
import { livesOf } from '../stores/durable-host.ts';
import { Disk, LEFT, type Left } from './power-cut/disk.ts';
import { canRecord, type Moment, readRecords, recordInto } from './power-cut/recording.ts';

const FILES = ['sluice.db', 'sluice.db-wal', 'sluice.db-running'];
if (!canRecord) process.stderr.write('SKIPPED: strace records what the power cuts are made of\n');

/** As `kill -9` leaves it: the newest of it in its log alone. Half of it is free. */
async function leftByKill(): Promise<Map<string, Buffer>> {
  const lives = livesOf({ keep: (value) => value });
  const { host, crash } = await lives.begin();
  const items = Array.from({ length: 40 }, (_, i) => ({ id: `i-${i}`, value: 'text '.repeat(500) }));
  for (const id of ['p', 'removed']) {
    await host.create({ id, stages: [{ name: 'A', tasks: ['keep'] }] });
    await host.get(id).run(items, {});
  }
  await host.remove('removed', 'force');
  await crash();
  return new Map(FILES.map((name) => [name, readFileSync(lives.file() + name.slice('sluice.db'.length))]));
}

function recordCompaction(files: Map<string, Buffer>): { folder: string; moments: Moment[] } {
  const scratch = folderWith();
  const folder = join(scratch, 'disk');
  mkdirSync(folder);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  const record = join(scratch, 'record');
  const [command = '', ...args] = [...recordInto(record), process.execPath, 'src/store.ts', 'compact'];
  const { status, stderr } = spawnSync(command, args, {
    env: { PATH: process.env.PATH, STORE_URL: `file:${join(folder, 'sluice.db')}` },
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return { folder, moments: readRecords([record], folder) };
}

/** Before the compaction: synced, in a folder that is synced. */
function diskWith(folder: string, files: Map<string, Buffer>, unsynced: RegExp | null): Disk {
  const disk = new Disk(folder, unsynced);
  let began = 0;
  const apply = (step: Moment): void => {
    if (step.is !== 'sent') disk.apply(step);
    began++;
  };
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    apply({ is: 'file', path });
    apply({ is: 'writing', path, at: 0, bytes });
    apply({ is: 'sync', path, began });
  }
  apply({ is: 'sync', path: folder, began });
  return disk;
}

async function faultsAfter(folder: string): Promise<string[]> {
  const file = join(folder, 'sluice.db');
  try {
    const store = await openSqliteStore({ file, inProcess: true });
    await store.close();
    const { faults, pipelines } = audit(file);
    const [found] = pipelines;
    return [...faults, ...(found?.id === 'p' && found.items.completed === 40 ? [] : [`it holds ${JSON.stringify(pipelines)}`])];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** A cut after every moment that is no write, and after one in twelve of the writes. Numbers of steps go on from those of the files. */
async function cutAgainAndAgain(
  files: Map<string, Buffer>,
  { folder, moments }: { folder: string; moments: Moment[] },
  unsynced: RegExp | null = null,
): Promise<{ cuts: number; faults: string[] }> {
  const random = new Random(SEED);
  const disk = diskWith(folder, files, unsynced);
  const offset = files.size * 3 + 1;
  const scratch = folderWith();
  const faults: string[] = [];
  let cuts = 0;
  for (const [at, moment] of moments.entries()) {
    if (moment.is === 'sent') continue;
    const isDrawn = moment.is !== 'writing' || random.chance(1 / 12);
    disk.apply(moment.is === 'sync' ? { ...moment, began: moment.began + offset } : moment);
    if (!isDrawn) continue;
    const left = LEFT[cuts % LEFT.length] as Left;
    const after = join(scratch, `cut-${cuts++}`);
    mkdirSync(after);
    for (const [name, bytes] of disk.cut(left, random).files) writeFileSync(join(after, name), bytes);
    faults.push(...(await faultsAfter(after)).map((fault) => `cut at ${at} of ${moments.length}, ${left}: ${fault}`));
    rmSync(after, { recursive: true });
  }
  return { cuts, faults };
}

it.skipIf(!canRecord && process.env.CI !== 'true')(
  'a power cut while a store is compacted takes nothing, at any moment',
  { timeout: 120_000 },
  async () => {
    const files = await leftByKill();
    const recorded = recordCompaction(files);
    const { cuts, faults } = await cutAgainAndAgain(files, recorded);
    expect(faults.slice(0, 10), `SEED=${SEED}`).toEqual([]);
    expect(cuts).toBeGreaterThan(20);
    process.stderr.write(`power cuts of a compaction: ${recorded.moments.length} moments, ${cuts} cuts\n`);
    expect(recorded.moments.some((moment) => moment.is === 'renaming')).toBe(true);
    // The cuts are real: a disk that does not sync the copy loses what is in it.
    const lying = await cutAgainAndAgain(files, recorded, /-compacting$/);
    expect(lying.faults.length).toBeGreaterThan(0);
  },
);
