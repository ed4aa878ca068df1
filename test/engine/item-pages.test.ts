import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pipeline, type ResultsQuery } from '../../src/engine/index.ts';
import { countedIds, seededRandom, VirtualClock } from './virtual-clock.ts';

interface Row {
  id: string;
  seq: number;
  feedId: string;
  status: 'queued' | 'completed' | 'failed' | 'cancelled';
}

/** What is kept of the items, said as simply as possible. */
class Model {
  rows: Row[] = [];
  /** What waits, first come, first served: a retried item comes anew. */
  queue: Row[] = [];
  ended: Row[] = [];
  retired = 0;
  private readonly maxItems: number;
  constructor(maxItems: number) {
    this.maxItems = maxItems;
  }
  feed(row: Row): void {
    this.rows.push(row);
    this.queue.push(row);
  }
  end(row: Row, status: Row['status']): void {
    row.status = status;
    this.queue = this.queue.filter((each) => each !== row);
    this.ended.push(row);
    if (this.ended.length <= this.maxItems) return;
    const oldest = this.ended.shift() as Row;
    this.rows = this.rows.filter((each) => each !== oldest);
    this.retired++;
  }
  revive(row: Row): void {
    row.status = 'queued';
    this.queue.push(row);
    this.ended = this.ended.filter((each) => each !== row);
  }
  remove(row: Row): void {
    this.rows = this.rows.filter((each) => each !== row);
    this.ended = this.ended.filter((each) => each !== row);
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('feed' as const),
      values: fc.array(fc.constantFrom('good', 'bad'), { minLength: 1, maxLength: 6 }),
      names: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 3 }),
      onDuplicate: fc.constantFrom('skip' as const, 'rerun' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const) }) },
);

async function allPages<T>(
  limit: number,
  page: (after: number) => Promise<{ rows: T[]; next: number | null; retired: number }>,
): Promise<{ rows: T[]; retired: number }> {
  const rows: T[] = [];
  for (let after = 0; ; ) {
    const { rows: some, next, retired } = await page(after);
    expect(some.length).toBeLessThanOrEqual(limit);
    rows.push(...some);
    if (next === null) return { rows, retired };
    expect(some).toHaveLength(limit);
    expect(next).toBeGreaterThan(after);
    after = next;
  }
}

describe('pages of items and results', () => {
  it('hold what a plain list would, whatever was fed, retried, cancelled, run again and retired', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, maxItems, limit) => {
          const clock = new VirtualClock();
          const judge = (value: unknown) => {
            if (value === 'bad') throw new Error('bad');
            return value;
          };
          const pipeline = new Pipeline({
            stages: [{ name: 'A', tasks: [judge], taskAttempts: 1 }],
            retention: { maxItems },
            ports: { clock, random: seededRandom(1), uniqueId: countedIds() },
          });
          const { runtime } = pipeline;
          await pipeline.start();
          const model = new Model(maxItems);
          const values = new Map<string, string>();
          let seq = 0;
          let isPaused = false;
          const work = (): void => {
            if (isPaused) return;
            for (const row of [...model.queue]) {
              model.end(row, values.get(row.id) === 'bad' ? 'failed' : 'completed');
            }
          };
          for (const [n, action] of steps.entries()) {
            if (action.do === 'feed') {
              const items = action.values.map((value, i) => (action.names[i] === undefined ? value : { id: `n${action.names[i]}`, value }));
              const feedId = `f${n}`;
              const ids: string[] = (await runtime.feed(items, { feedId, onDuplicate: action.onDuplicate })).ids ?? [];
              for (const [i, id] of ids.entries()) {
                const known = model.rows.find((row) => row.id === id);
                if (known !== undefined) {
                  if (action.onDuplicate === 'skip' || known.status === 'queued') continue;
                  model.remove(known);
                }
                values.set(id, action.values[i] as string);
                model.feed({ id, seq: ++seq, feedId, status: 'queued' });
              }
              work();
            } else if (action.do === 'retry') {
              await runtime.retryFailed({});
              for (const row of model.rows.filter(({ status }) => status === 'failed')) {
                model.revive(row);
                work();
              }
            } else if (action.do === 'cancel') {
              const queued = model.rows.filter(({ status }) => status === 'queued');
              const row = queued[action.which % Math.max(1, queued.length)];
              if (row === undefined) continue;
              await runtime.cancelItem(row.id);
              model.end(row, 'cancelled');
            } else {
              isPaused = action.do === 'pause';
              await pipeline[action.do]();
              work();
            }
            const seen = await allPages(limit, (after) => runtime.items({ after, limit }));
            expect(seen.rows.map(({ id, sequenceId, feedId, status }) => ({ id, seq: sequenceId, feedId, status }))).toEqual(model.rows);
            expect(seen.retired).toBe(model.retired);
            for (const status of ['completed', 'failed', 'cancelled', 'all'] as ResultsQuery['status'][]) {
              const { rows } = await allPages(limit, (after) => runtime.results({ status, after, limit }));
              const want = model.rows.filter((row) => (status === 'all' ? row.status !== 'queued' : row.status === status));
              expect(rows.map(({ id }) => id)).toEqual(want.map(({ id }) => id));
            }
            const { rows } = await allPages(limit, (after) => runtime.items({ after, limit, feedId: `f${n}` }));
            expect(rows.map(({ id }) => id)).toEqual(model.rows.filter(({ feedId }) => feedId === `f${n}`).map(({ id }) => id));
            for (const { id, status } of model.rows) expect(await runtime.item(id)).toMatchObject({ id, status });
          }
          await pipeline.shutdown('force');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are not disturbed by what comes and goes between two of them', async () => {
    const pipeline = new Pipeline({
      stages: [{ name: 'A', tasks: [(value: unknown) => value] }],
      retention: { maxItems: 3_000 },
      ports: { clock: new VirtualClock() },
    });
    await pipeline.start();
    let fed = 0;
    const feed = (count: number) =>
      pipeline.runtime.feed(
        Array.from({ length: count }, () => ++fed),
        {},
      );
    await feed(3_000);
    const seen: unknown[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const { rows, next }: Awaited<ReturnType<typeof pipeline.runtime.results>> = await pipeline.runtime.results({
        status: 'all',
        after,
        limit: 700,
      });
      seen.push(...rows.map(({ value }) => value));
      after = next;
      if (fed < 9_000) await feed(2_000);
    }
    expect(seen).toEqual(seen.toSorted((a, b) => (a as number) - (b as number)));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.slice(0, 700)).toEqual(Array.from({ length: 700 }, (_, i) => i + 1));
    expect(seen.at(-1)).toBe(fed);
    await pipeline.shutdown('force');
  });

  it('lose what is past its age, and count it', async () => {
    const clock = new VirtualClock();
    const pipeline = new Pipeline({
      stages: [{ name: 'A', tasks: [(value: unknown) => value] }],
      retention: { maxAgeSeconds: 60 },
      ports: { clock, uniqueId: countedIds() },
    });
    await pipeline.start();
    await pipeline.runtime.feed([{ id: 'old' }], {});
    await clock.advance(40_000);
    await pipeline.runtime.feed([{ id: 'new' }], {});
    await clock.advance(20_000);
    expect(await pipeline.runtime.results({ status: 'all', after: 0, limit: 10 })).toMatchObject({ rows: [{ id: 'new' }], retired: 1 });
    await expect(pipeline.runtime.item('old')).rejects.toMatchObject({ code: 'item-not-found' });
    expect(await pipeline.runtime.feed([{ id: 'old' }], {})).toMatchObject({ accepted: 1 });
    await pipeline.shutdown('force');
  });
});
