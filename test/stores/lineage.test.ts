/** Whether a start goes on with the file of the one before, or with another one: the ids of events must not mean two things. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PipelineRuntime } from '../../src/engine/index.ts';
import { backup } from '../../src/stores/sqlite/backup.ts';
import { named } from '../conformance/world.ts';
import { folderWith } from '../loader/folder.ts';
import { livesOf } from './durable-host.ts';

const stages = [{ name: 'A', tasks: ['pass'] }];
const SUFFIXES = ['', '-wal', '-shm', '-running'];

async function world() {
  const lives = livesOf({ pass: (value: unknown) => value });
  let life = await lives.begin();
  await life.host.create({ id: 'p', stages });
  await life.host.get('p').run(named('a'), {});
  return {
    file: lives.file(),
    get host() {
      return life.host;
    },
    get p(): PipelineRuntime {
      return life.host.get('p');
    },
    again: async (between: () => void = () => undefined) => {
      await life.stop();
      between();
      life = await lives.begin();
      return life.host.get('p').events.epoch;
    },
    crash: async () => {
      await life.crash();
      life = await lives.begin();
      return life.host.get('p').events.epoch;
    },
  };
}

/** Puts a copy in the place of a file, and what is beside it where `also` says so. */
function restore(copy: string, file: string, also: readonly string[]): void {
  for (const suffix of SUFFIXES) if (!also.includes(suffix)) rmSync(file + suffix, { force: true });
  copyFileSync(copy, file);
}

describe('the epoch of events', () => {
  it('stays through stops and crashes', async () => {
    const w = await world();
    const { epoch } = w.p.events;
    expect(await w.again()).toBe(epoch);
    expect(await w.crash()).toBe(epoch);
    expect(await w.crash()).toBe(epoch);
    expect(await w.again()).toBe(epoch);
  });

  it('of all pipelines does the same', async () => {
    const w = await world();
    const { epoch, newest } = w.host.events;
    await w.again();
    expect(w.host.events.epoch).toBe(epoch);
    expect(w.host.events.newest).toBeGreaterThan(newest);
    const copy = join(folderWith(), 'backup.db');
    backup(w.file, copy);
    await w.again(() => restore(copy, w.file, []));
    expect(w.host.events.epoch).not.toBe(epoch);
  });

  it.each([
    ['as the docs say', []],
    ['with the file of marks left where it was', ['-running']],
  ])('is a new one after a restored backup, each time (%s)', async (_, left) => {
    const w = await world();
    const epochs = [w.p.events.epoch];
    const copy = join(folderWith(), 'backup.db');
    backup(w.file, copy);
    for (let times = 0; times < 3; times++) {
      await w.p.run(named(`lost-${times}`, `lost-too-${times}`), {});
      epochs.push(await w.again(() => restore(copy, w.file, left)));
      expect((await w.p.stats()).itemsFed).toBe(1);
      // From then on it is the file.
      expect(await w.again()).toBe(epochs.at(-1));
    }
    expect(new Set(epochs).size).toBe(4);
  });

  it('is a new one when another tool has put the file of an earlier life in its place, and stays when all files are moved', async () => {
    const w = await world();
    const { epoch } = w.p.events;
    const folder = folderWith();
    const earlier = join(folder, 'earlier.db');
    expect(await w.again(() => copyFileSync(w.file, earlier))).toBe(epoch);
    const next = await w.again(() => restore(earlier, w.file, ['-running']));
    expect(next).not.toBe(epoch);
    const moved = join(folder, 'moved.db');
    const back = await w.again(() => {
      for (const [from, to] of [
        [w.file, moved],
        [moved, w.file],
      ] as const)
        for (const suffix of SUFFIXES) if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
    });
    expect(back).toBe(next);
  });

  it('is a new one when what is beside the file is gone', async () => {
    const w = await world();
    const { epoch } = w.p.events;
    expect(await w.again(() => rmSync(`${w.file}-running`))).not.toBe(epoch);
  });
});
