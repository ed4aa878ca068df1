import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { EventFilter, PipelineRuntime } from '../../src/engine/contract/runtime.ts';
import { createLocalHost, createTaskRegistry, type LocalHost, type TaskContext, type TaskHandler } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { SEED } from '../seed.ts';
import { livesOf } from '../stores/durable-host.ts';

const PAGE = 3000;
const DEFAULTS = {
  maxStages: 10,
  maxWorkersPerStage: 10,
  retentionMaxItems: 10_000,
  retentionMaxAgeSeconds: 3600,
  backlogCapacity: 10_000,
  eventsKept: 50_000,
  hookTimeoutSeconds: 1,
  pageCharacters: PAGE,
};

/** Gives a text of the length that it is given; fails with one, if it is told to. */
const tasks: Record<string, TaskHandler> = {
  make: ({ length, fails }: { length: number; fails?: boolean }, ctx: TaskContext) => {
    if (fails === true) throw ctx.permanent('f'.repeat(length % 4096));
    return 'v'.repeat(length);
  },
};

const STORES: Record<string, () => Promise<LocalHost>> = {
  memory: async () => {
    const declared = Object.entries(tasks).map(([name, run]) => ({
      ...{ kind: 'task' as const, name, description: name, paramsSchema: null },
      ...{ parseParams: (given: unknown) => given, run },
    }));
    const host = createLocalHost({ ...DEFAULTS, registry: createTaskRegistry(declared), ports: systemPorts });
    onTestFinished(() => void host.shutdown('force', 1));
    return host;
  },
  file: async () => (await livesOf(tasks, DEFAULTS).begin()).host,
};

interface Row {
  sequenceId: number;
}
type Read = (after: number, limit: number) => Promise<{ rows: Row[]; next: number | null }>;

/** All pages of a list, each within its limits. */
async function pagesOf(read: Read, limit: number): Promise<Row[][]> {
  const pages: Row[][] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { rows, next }: { rows: Row[]; next: number | null } = await read(after, limit);
    if (next !== null) expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThanOrEqual(limit);
    // Without its last row it was not full yet.
    expect(JSON.stringify(rows.slice(0, -1)).length).toBeLessThan(PAGE + 200 * rows.length);
    pages.push(rows);
    after = next;
  }
  return pages;
}

const itemsOf = fc.array(
  fc.record({
    length: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 2 * PAGE })),
    fails: fc.boolean(),
    note: fc.integer({ min: 0, max: 2000 }),
    fed: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 * PAGE })),
  }),
  { minLength: 1, maxLength: 40 },
);

for (const [store, begin] of Object.entries(STORES)) {
  describe(`pages of rows of any size, with the store ${store}`, () => {
    it('are together the whole list, without a gap or a repeat', async () => {
      const host = await begin();
      let number = 0;
      await fc.assert(
        fc.asyncProperty(itemsOf, fc.integer({ min: 1, max: 15 }), async (rows, limit) => {
          const id = `p${number++}`;
          await host.create({ id, stages: [{ name: 'A', workers: 4, tasks: ['make'] }] });
          const p = host.get(id);
          const items = rows.map(({ length, fails, note, fed }, i) => ({
            id: `i${i}`,
            value: { length, fails, fed: 'i'.repeat(fed) },
            note: 'n'.repeat(note),
          }));
          // Two feeds whose items lie between each other.
          const [even, odd] = [await p.openFeed({ feedId: 'even' }), await p.openFeed({ feedId: 'odd' })];
          for (const [i, item] of items.entries()) await (i % 2 === 0 ? even : odd).push([item]);
          await even.end();
          await odd.end();
          for (const feedId of ['even', 'odd']) await p.waitForFeed(feedId, {});

          const expected = items.map(({ id: name, value, note }) => ({
            id: name,
            metadata: { note },
            value: value.fails ? null : 'v'.repeat(value.length),
            ...(value.fails && { input: value }),
          }));
          const ofFeed = (remainder: number) => expected.filter((_, i) => i % 2 === remainder);
          const completed = expected.filter((_, i) => rows[i]?.fails === false);
          const lists: [Read, object[]][] = [
            [(after, most) => p.results({ status: 'all', after, limit: most }), expected],
            [(after, most) => p.results({ status: 'completed', after, limit: most }), completed],
            [(after, most) => p.results({ status: 'all', feedId: 'odd', after, limit: most }), ofFeed(1)],
            [(after, most) => p.feedResults('even', { status: 'all', after, limit: most }), ofFeed(0)],
            [(after, most) => p.items({ after, limit: most }), expected.map(({ id: name }) => ({ id: name }))],
            [
              (after, most) => p.items({ status: ['failed', 'completed'], include: 'input', after, limit: most }),
              expected.map(({ id: name, input }) => ({ id: name, ...(input && { input }) })),
            ],
          ];
          for (const [read, whole] of lists) {
            const pages = await pagesOf(read, limit);
            expect(pages.flat()).toMatchObject(whole);
            expect(pages.flat()).toHaveLength(whole.length);
            if (whole.length > 0) expect(pages.at(-1)).not.toEqual([]);
          }
          await followed(p, ofFeed(0));
          await host.remove(id, 'force');
        }),
        { seed: SEED, numRuns: 40 },
      );
    });

    it('hold rows as long as those have it, and one at least', async () => {
      const host = await begin();
      await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['make'] }] });
      const p = host.get('p');
      await p.run([{ length: 3 * PAGE }, { length: 10 }, { length: 10 }, { length: 3 * PAGE }, { length: 10 }], {});
      const pages = await pagesOf((after, limit) => p.results({ status: 'completed', after, limit }), 100);
      expect(pages.map((rows) => rows.map(({ sequenceId }) => sequenceId))).toEqual([[1], [2, 3, 4], [5]]);
    });

    it('of events are cut too, and go on where they were cut', async () => {
      const host = await begin();
      const all = host.events;
      await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['make'] }] });
      const p = host.get('p');
      await p.run(
        Array.from({ length: 20 }, () => ({ length: 100_000 })),
        {},
      );
      while (all.newest < p.events.newest) {
        await new Promise<void>((resolve) => {
          const leave = all.subscribe(() => {
            leave();
            resolve();
          });
        });
      }
      for (const source of [p.events, all]) {
        const filter: EventFilter = { types: new Set(['result']) };
        const seen: number[] = [];
        for (let cursor = source.oldest - 1; cursor < source.newest; ) {
          const read = source.read(cursor, 1024, filter);
          expect(read.events.length).toBeLessThanOrEqual(3);
          for (const event of read.events) seen.push((event.data as unknown as Row).sequenceId);
          cursor = read.cursor;
        }
        expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      }
    });
  });
}

async function followed(p: PipelineRuntime, whole: object[]): Promise<void> {
  const rows: object[] = [];
  for await (const batch of p.followFeed('even', { status: 'all', after: 0 })) rows.push(...batch);
  expect(rows).toMatchObject(whole);
}
