/** Whether a start goes on with the file of the one before, or with another one: an id of an event must not mean two things. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EventSource, PipelineRuntime } from '../../src/engine/index.ts';
import { eventPosition } from '../../src/http/sse/event-query.ts';
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
      return life.host.get('p').events.lines.current;
    },
    crash: async () => {
      await life.crash();
      life = await lives.begin();
      return life.host.get('p').events.lines.current;
    },
  };
}

/** Puts a copy in the place of a file, and what is beside it where `also` says so. */
function restore(copy: string, file: string, also: readonly string[]): void {
  for (const suffix of SUFFIXES) if (!also.includes(suffix)) rmSync(file + suffix, { force: true });
  copyFileSync(copy, file);
}

/** How a reader goes on that has seen an event last. */
const resumed = ({ events }: { events: EventSource }, id: string) => eventPosition(events, id, undefined);

describe('the line of events', () => {
  it('stays through stops and crashes', async () => {
    const w = await world();
    const { current: line } = w.p.events.lines;
    expect(await w.again()).toBe(line);
    expect(await w.crash()).toBe(line);
    expect(await w.crash()).toBe(line);
    expect(await w.again()).toBe(line);
  });

  it('of all pipelines does the same', async () => {
    const w = await world();
    const { lines, newest } = w.host.events;
    await w.again();
    expect(w.host.events.lines.current).toBe(lines.current);
    expect(w.host.events.newest).toBeGreaterThan(newest);
    const copy = join(folderWith(), 'backup.db');
    backup(w.file, copy);
    await w.again(() => restore(copy, w.file, []));
    expect(w.host.events.lines.current).not.toBe(lines.current);
  });

  it.each([
    ['as the docs say', []],
    ['with the file of marks left where it was', ['-running']],
  ])('is a new one after a restored backup, each time (%s)', async (_, left) => {
    const w = await world();
    const lines = [w.p.events.lines.current];
    const copy = join(folderWith(), 'backup.db');
    backup(w.file, copy);
    for (let times = 0; times < 3; times++) {
      await w.p.run(named(`lost-${times}`, `lost-too-${times}`), {});
      lines.push(await w.again(() => restore(copy, w.file, left)));
      expect((await w.p.stats()).itemsFed).toBe(1);
      // From then on it is the file.
      expect(await w.again()).toBe(lines.at(-1));
    }
    expect(new Set(lines).size).toBe(4);
  });

  it('is a new one when another tool has put the file of an earlier life in its place, and stays when all files are moved', async () => {
    const w = await world();
    const { current: line } = w.p.events.lines;
    const folder = folderWith();
    const earlier = join(folder, 'earlier.db');
    expect(await w.again(() => copyFileSync(w.file, earlier))).toBe(line);
    const next = await w.again(() => restore(earlier, w.file, ['-running']));
    expect(next).not.toBe(line);
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
    const { current: line } = w.p.events.lines;
    expect(await w.again(() => rmSync(`${w.file}-running`))).not.toBe(line);
  });

  it('after a restored backup has those of before go on, and tells of a gap whoever has seen what is not in it', async () => {
    const w = await world();
    const copy = join(folderWith(), 'backup.db');
    backup(w.file, copy);
    const sources = { p: () => w.p, all: () => w.host } as const;
    const inBackup = Object.values(sources).map((source) => source().events.lines.idOf(source().events.newest));
    await w.p.run(named('lost'), {});
    const lost = Object.values(sources).map((source) => source().events.lines.idOf(source().events.newest));
    const kept = [w.p.events, w.host.events].map(({ newest }) => newest);
    // Neither a start that comes to nothing nor another one takes back that events may be missing.
    await w.again(() => restore(copy, w.file, []));
    await w.crash();
    await w.p.run(named('new', 'newer'), {});
    await w.again();
    for (const [i, source] of Object.values(sources).entries()) {
      const { events } = source();
      expect(events.newest).toBeGreaterThan(kept[i] as number);
      const seq = Number(inBackup[i]?.split('-')[1]);
      expect(resumed(source(), inBackup[i] as string)).toEqual({ after: seq, gap: false });
      expect(events.lines.idOf(seq)).toBe(inBackup[i]);
      expect(resumed(source(), lost[i] as string)).toEqual({ after: events.oldest - 1, gap: true });
    }
  });
});
