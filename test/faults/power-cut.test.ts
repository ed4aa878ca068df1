/**
 * Power cuts, at any moment of the life of a file: its first start, a stop, kills, and its log copied into it. What the service writes is
 * recorded with its syncs; the disk of a power cut is made of it, and the next start has to find everything that anyone was told.
 *
 * The record is another one each time, since the machine is; the seed draws the moments of the cuts, and what is left.
 *
 *     CUTS=2000 SEED=7 npx vitest run test/faults/power-cut.test.ts
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../engine/simulation/random.ts';
import { folderWith } from '../loader/folder.ts';
import { SEED } from '../seed.ts';
import { Disk, LEFT, type Left } from './power-cut/disk.ts';
import { faultsAfter, Promises } from './power-cut/promises.ts';
import { canRecord, type Moment, readRecords } from './power-cut/recording.ts';
import { type Recorded, recordService } from './power-cut/workload.ts';

const CUTS = Number(process.env.CUTS ?? 32);
const CONTROL_CUTS = 24;
if (!canRecord) process.stderr.write('SKIPPED: strace records what the power cuts are made of\n');

interface Cut {
  at: number;
  left: Left;
}

/** As many of each kind, half of them at a moment that is no write: there are thousands of writes for each sync. */
function cutsOf(moments: readonly Moment[], count: number, random: Random): Cut[] {
  const others = moments.flatMap(({ is }, i) => (is === 'writing' ? [] : [i]));
  const cuts = Array.from(
    { length: count },
    (_, i): Cut => ({
      at: i % 8 < 4 ? random.int(0, moments.length) : random.pick(others) + random.int(0, 1),
      left: LEFT[i % LEFT.length] as Left,
    }),
  );
  return cuts.sort((a, b) => a.at - b.at);
}

interface Report {
  cuts: number;
  /** Cuts that something which had been promised before did not survive, or after which anything else was wrong. */
  withFaults: number;
  /** Promises that were to be kept, over all cuts. */
  promises: number;
  faults: string[];
}

async function cutAgainAndAgain(
  moments: readonly Moment[],
  { folder }: Recorded,
  count: number,
  unsynced: RegExp | null = null,
): Promise<Report> {
  const random = new Random(SEED);
  const disk = new Disk(folder, unsynced);
  const promised = new Promises();
  const report: Report = { cuts: 0, withFaults: 0, promises: 0, faults: [] };
  const scratch = folderWith();
  let done = 0;
  for (const { at, left } of cutsOf(moments, count, random)) {
    for (const moment of moments.slice(done, at)) {
      if (moment.is === 'sent') promised.note(moment.text);
      else disk.apply(moment);
    }
    done = at;
    const after = join(scratch, `cut-${report.cuts}`);
    mkdirSync(after);
    const { folders, files } = disk.cut(left, random);
    for (const name of folders) mkdirSync(join(after, name));
    for (const [name, bytes] of files) writeFileSync(join(after, name), bytes);
    const faults = await faultsAfter(after, promised);
    rmSync(after, { recursive: true });
    report.cuts++;
    report.promises += promised.count;
    if (faults.length > 0) report.withFaults++;
    report.faults.push(...faults.map((fault) => `cut at ${at} of ${moments.length}, ${left}: ${fault}`));
  }
  return report;
}

describe.skipIf(!canRecord && process.env.CI !== 'true')('a power cut', () => {
  let recorded: Recorded;
  let moments: Moment[];
  const tidy: (() => void)[] = [];
  afterAll(() => {
    for (const undo of tidy) undo();
  });

  beforeAll(async () => {
    expect(canRecord, 'strace can be run').toBe(true);
    recorded = await recordService(folderWith({}, (undo) => tidy.push(undo)));
    moments = readRecords(recorded.records, recorded.folder);
  }, 300_000);

  it('is recorded with everything that was promised, and with the log copied into the file', () => {
    const promised = new Promises();
    for (const moment of moments) if (moment.is === 'sent') promised.note(moment.text);
    expect([...promised.items].sort()).toEqual([...recorded.acknowledged].sort());
    const copied = moments.filter((moment) => moment.is === 'writing' && moment.path.endsWith('sluice.db')).length;
    expect(copied).toBeGreaterThan(100);
    process.stderr.write(
      `power cuts: ${moments.length} moments, ${copied} writes to the file, ${promised.items.size} items, event ${promised.event}\n`,
    );
  });

  it(`takes nothing that anyone was told, ${CUTS} cuts`, { timeout: 60_000 + CUTS * 2000 }, async () => {
    const report = await cutAgainAndAgain(moments, recorded, CUTS);
    process.stderr.write(`power cuts of seed ${SEED}: ${JSON.stringify({ ...report, faults: report.faults.length })}\n`);
    expect(report.faults.slice(0, 20), `SEED=${SEED}`).toEqual([]);
    expect(report.promises).toBeGreaterThan(CUTS * 50);
  });

  it.each([
    ['its log', /-wal$/],
    ['the folder of its data', /data$/],
    ['the folder that this one is in', /disk$/],
  ])('takes it from a disk that does not sync %s: the cuts are real', { timeout: 120_000 }, async (_what, unsynced) => {
    const { withFaults, faults } = await cutAgainAndAgain(moments, recorded, CONTROL_CUTS, unsynced);
    expect(withFaults).toBeGreaterThan(CONTROL_CUTS / 4);
    expect(faults.join('\n')).toMatch(/was acknowledged and is lost|the pipeline work is lost/);
  });
});
