/**
 * Power cuts on a node's file, which is not synced with each transaction: at any moment it is as of one place in the log, whichever that is, and can go on from there.
 *
 *     CUTS=2000 SEED=7 npx vitest run test/faults/replica-power-cut.test.ts
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSqliteReplica, type SqliteReplica } from '../../src/stores/sqlite/replica.ts';
import { contentOf } from '../cluster/content.ts';
import { Random } from '../engine/simulation/random.ts';
import { folderWith } from '../loader/folder.ts';
import { SEED } from '../seed.ts';
import { Disk, LEFT, type Left } from './power-cut/disk.ts';
import { canRecord, type Moment, readRecords, recordInto } from './power-cut/recording.ts';
import { itemsAfter, transaction } from './power-cut/replica-work.ts';

const CUTS = Number(process.env.CUTS ?? 32);
const LAST = 400;
/** Every so many cuts the file is brought to its end again. */
const GOES_ON = 4;
if (!canRecord) process.stderr.write('SKIPPED: strace records what the power cuts are made of\n');

/** What two lives write: one that is killed, and one that is closed. */
function recorded(scratch: string): { moments: Moment[]; folder: string } {
  const folder = join(scratch, 'disk');
  mkdirSync(folder);
  const lives = [
    [1, LAST / 2, 'kill'],
    [LAST / 2 + 1, LAST, 'close'],
  ];
  const records = lives.map(([from, to, end], life) => {
    const record = join(scratch, `record-${life}`);
    const script = join(import.meta.dirname, 'power-cut/replica-life.ts');
    // It waits until the record is whole.
    const [command, ...args] = recordInto(record).filter((arg) => arg !== '-D');
    const run = spawnSync(command as string, [
      ...args,
      process.execPath,
      script,
      join(folder, 'data/node.db'),
      `${from}`,
      `${to}`,
      `${end}`,
    ]);
    expect([run.stderr.toString(), run.signal ?? run.status]).toEqual(['', end === 'kill' ? 'SIGKILL' : 0]);
    return record;
  });
  return { moments: readRecords(records, folder), folder };
}

/** The place that the file has, when it has all that belongs to that place and nothing else. */
function placeOf({ place, store }: SqliteReplica): number {
  if (place === null) {
    expect(store.pipelines()).toEqual([]);
    return 0;
  }
  const query = { statuses: null, feed: null, stages: null, after: 0, last: LAST, limit: LAST, characters: 1e9, texts: 'none' as const };
  expect(store.pipelines()[0]?.facts).toEqual({ number: place });
  expect(
    store
      .shelf(1)
      .page(query)
      .rows.map(({ seq }) => seq),
  ).toEqual(itemsAfter(Number(place)));
  return Number(place);
}

describe.runIf(canRecord)('a node’s file after a power cut', () => {
  it('is as of one place in its log, and becomes what it was', { timeout: 120_000 }, async () => {
    const scratch = folderWith();
    const { moments, folder } = recorded(scratch);
    const random = new Random(SEED);
    const disk = new Disk(folder);
    const cuts = Array.from({ length: CUTS }, (_, i) => ({ at: random.int(0, moments.length), left: LEFT[i % LEFT.length] as Left }));
    const whole = join(folder, 'data/node.db');
    const places = new Set<number>();
    let done = 0;
    for (const [i, { at, left }] of cuts.sort((a, b) => a.at - b.at).entries()) {
      for (const moment of moments.slice(done, at)) if (moment.is !== 'sent') disk.apply(moment);
      done = at;
      const after = join(scratch, `cut-${at}-${left}`);
      const found = disk.cut(left, random);
      for (const name of ['', ...found.folders]) mkdirSync(join(after, name));
      for (const [name, bytes] of found.files) writeFileSync(join(after, name), bytes);
      const file = join(after, 'data/node.db');
      const replica = await openSqliteReplica({ file, inProcess: true });
      const place = placeOf(replica);
      places.add(place);
      const goesOn = i % GOES_ON === 0;
      for (let number = place + 1; goesOn && number <= LAST; number++) await replica.write(transaction(number), String(number));
      await replica.close();
      if (goesOn) expect(contentOf(file), `cut at ${at} of ${moments.length}, ${left}`).toEqual(contentOf(whole));
      rmSync(after, { recursive: true });
    }
    // Files that had lost nothing would show nothing.
    expect(places.size).toBeGreaterThan(CUTS / 8);
  });
});
