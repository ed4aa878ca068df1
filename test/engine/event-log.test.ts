import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EventFilter, type EventType, Pipeline, type SluiceEvent } from '../../src/engine/index.ts';
import { countedIds, seededRandom, VirtualClock } from './virtual-clock.ts';

const ALL: EventFilter = { types: new Set<EventType>(['status', 'task', 'result', 'pipeline', 'feed']) };

function readAll(pipeline: Pipeline, filter: EventFilter, scan = 1_000_000, after = 0): SluiceEvent[] {
  const events: SluiceEvent[] = [];
  for (let cursor = after; cursor < pipeline.events.newest; ) {
    const read = pipeline.events.read(cursor, scan, filter);
    expect(read.cursor).toBeGreaterThan(cursor);
    cursor = read.cursor;
    events.push(...read.events);
  }
  return events;
}

function createPipeline(clock: VirtualClock, eventsKept: number, maxItems: number): Pipeline {
  const random = seededRandom(7);
  const flaky = (value: unknown) => {
    if (random() < 0.3) throw new Error('flaky');
    return value;
  };
  return new Pipeline({
    stages: [
      { name: 'A', workers: 3, tasks: [flaky, async (value: unknown) => value], taskAttempts: 2 },
      { name: 'B', workers: 2, tasks: [flaky], retry: 'per_stage', stageAttempts: 2, skipIf: () => random() < 0.2 },
    ],
    eventsKept,
    retention: { maxItems },
    ports: { clock, random, uniqueId: countedIds() },
  });
}

/** What may follow what, within one item's status events. */
const NEXT: Record<string, string[]> = {
  queued: ['in_progress', 'skipped', 'cancelled', 'failed'],
  in_progress: ['completed', 'retrying', 'failed', 'cancelled', 'queued'],
  retrying: ['queued', 'cancelled'],
  skipped: ['queued'],
  completed: ['queued'],
};

describe('reading events', () => {
  it('gives each of them once, without a gap, in whatever portions and from wherever', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(16, 64, 1_000, 1 << 16),
        fc.integer({ min: 0, max: 50 }),
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 3_000 }),
        async (eventsKept, maxItems, batches, scan) => {
          const clock = new VirtualClock();
          const pipeline = createPipeline(clock, eventsKept, maxItems);
          const { events } = pipeline;
          expect(events).toMatchObject({ oldest: 1, newest: 0 });
          await pipeline.start();
          const live: number[] = [];
          let cursor = 0;
          for (const size of batches) {
            await pipeline.feed(Array.from({ length: size }, (_, i) => i));
            await clock.advance(1_500);
            const read = readAll(pipeline, ALL, scan, cursor);
            for (const { seq } of read) live.push(seq);
            expect(read.map(({ seq }) => seq)).toEqual(
              Array.from(
                { length: events.newest - Math.max(cursor + 1, events.oldest) + 1 },
                (_, i) => Math.max(cursor + 1, events.oldest) + i,
              ),
            );
            cursor = events.newest;
          }
          expect(events.newest - events.oldest + 1).toBeGreaterThanOrEqual(Math.min(eventsKept, events.newest));
          expect(new Set(live).size).toBe(live.length);
          const kept = readAll(pipeline, ALL);
          for (const type of ALL.types) {
            expect(readAll(pipeline, { types: new Set([type]) }, scan)).toEqual(kept.filter((event) => event.type === type));
          }
          const stage = readAll(pipeline, { ...ALL, stage: new Set(['B']) }, scan).filter(({ type }) => type === 'status');
          expect(stage).toEqual(kept.filter((event) => event.type === 'status' && event.data.stage === 'B'));
          await pipeline.shutdown('force');
        },
      ),
      { numRuns: 30 },
    );
  });

  it('shows of each item only steps that are legal, one final one, and its result right after', async () => {
    const clock = new VirtualClock();
    const pipeline = createPipeline(clock, 1 << 16, 10);
    await pipeline.start();
    await pipeline.feed(Array.from({ length: 500 }, (_, i) => ({ id: `i${i}` })));
    await clock.settle();
    for (let i = 0; i < 500; i += 50) await pipeline.runtime.cancelItem(`i${i}`).catch(() => undefined);
    await clock.finish(pipeline.join());
    const events = readAll(pipeline, ALL);
    const last = new Map<string, string>();
    for (const [i, { type, data }] of events.entries()) {
      if (type !== 'status') continue;
      const before = last.get(data.itemId);
      if (before === undefined) expect(data.status).toBe('queued');
      else expect(NEXT[before]).toContain(data.status);
      last.set(data.itemId, data.final ? 'final' : data.status);
      if (!data.final) continue;
      expect(events[i + 1]).toMatchObject({ type: 'result', data: { id: data.itemId } });
    }
    expect([...last.values()].every((status) => status === 'final')).toBe(true);
    expect(last.size).toBe(500);
  });

  it('follows one item, one feed, or one status', async () => {
    const clock = new VirtualClock();
    const pipeline = createPipeline(clock, 1 << 16, 1_000);
    await pipeline.start();
    await pipeline.feed(
      Array.from({ length: 50 }, (_, i) => ({ id: `a${i}` })),
      { feedId: 'a' },
    );
    await pipeline.feed(
      Array.from({ length: 50 }, (_, i) => ({ id: `b${i}` })),
      { feedId: 'b' },
    );
    await clock.finish(pipeline.join());
    const all = readAll(pipeline, ALL);
    const idOf = ({ data }: SluiceEvent) => ('itemId' in data ? data.itemId : 'id' in data ? data.id : undefined);
    expect(readAll(pipeline, { ...ALL, itemId: new Set(['a7', 'b7']) })).toEqual(
      all.filter((event) => ['a7', 'b7'].includes(idOf(event) ?? '')),
    );
    expect(readAll(pipeline, { ...ALL, feedId: new Set(['b']) })).toEqual(
      all.filter((event) => idOf(event)?.startsWith('b') || (event.type === 'feed' && event.data.feedId === 'b')),
    );
    const failed = readAll(pipeline, { types: new Set(['status', 'result']), status: new Set(['failed']) });
    expect(failed.length).toBeGreaterThan(0);
    expect(failed).toEqual(
      all.filter(({ type, data }) => (type === 'status' && data.status === 'failed') || (type === 'result' && data.error !== null)),
    );
  });

  it('tells a history’s missing beginning', async () => {
    const clock = new VirtualClock();
    const pipeline = createPipeline(clock, 16, 1_000);
    await pipeline.start();
    await pipeline.feed([{ id: 'early' }]);
    await clock.settle();
    expect(await pipeline.runtime.item('early')).toMatchObject({ historyTruncated: false });
    await pipeline.feed(Array.from({ length: 40 }, (_, i) => i));
    await clock.settle();
    expect(await pipeline.runtime.item('early')).toMatchObject({ historyTruncated: true, history: [] });
  });

  it('wakes a reader once for many events, in a later turn, until it leaves', async () => {
    const clock = new VirtualClock();
    const pipeline = createPipeline(clock, 1_024, 10);
    let wakes = 0;
    const leave = pipeline.events.subscribe(() => wakes++);
    await pipeline.start();
    await pipeline.feed([1, 2, 3]);
    expect(wakes).toBe(0);
    await clock.settle();
    expect(wakes).toBe(1);
    leave();
    await pipeline.feed([4]);
    await clock.settle();
    expect(wakes).toBe(1);
  });
});
