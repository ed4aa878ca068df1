/** What is written of an item, change by change, is the item when it is read. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stageSpecOf } from '../../src/engine/definition/stage-spec.ts';
import { History } from '../../src/engine/durable/history.ts';
import { type RowReferences, rewritten, toItem } from '../../src/engine/durable/item-codec.ts';
import { ItemWrites } from '../../src/engine/durable/item-writes.ts';
import { PipelineMeter } from '../../src/engine/measures/pipeline-meter.ts';
import { Feed } from '../../src/engine/model/feed.ts';
import { NO_METADATA } from '../../src/engine/model/metadata.ts';
import { Item, type Route, Stage, type Worker } from '../../src/engine/model/model.ts';
import { StoredState } from '../../src/engine/model/stored-state.ts';
import type { Runner } from '../../src/engine/stage/hinge.ts';
import type { PackedItems, StoredItem } from '../../src/engine/store.ts';
import { EngineClock } from '../../src/engine/time/engine-clock.ts';
import { PRIORITY_MAX } from '../../src/schemas/names.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { folderWith } from '../loader/folder.ts';
import { SEED as seed } from '../seed.ts';
import { applyItems } from './memory-store.ts';
import { noWrites } from './store-writes.ts';

const PREFIX = 'x';
const time = new EngineClock(new VirtualClock());
const stages = Array.from({ length: 5 }, (_, no) => {
  const spec = stageSpecOf({ name: `S${no}`, tasks: [(value) => value] });
  return new Stage('p', no + 1, no, spec, {} as Runner<Item, Worker>, new PipelineMeter());
});
const stageOf = (no: number): Stage => stages[no - 1] as Stage;
const feeds = Array.from({ length: 4 }, (_, ordinal) => new Feed(`f${ordinal}`, ordinal, stageOf(1), 0));
const history = new History(() => 0);
history.restore({ version: 7, steps: [] }, () => 0);
const references: RowReferences = { time, idPrefix: PREFIX, feedOf: (ordinal) => feeds[ordinal] as Feed, stageOf, history };

const whole = (max: number): fc.Arbitrary<number> => fc.oneof(fc.integer({ min: 0, max }), fc.constantFrom(0, max));
/** Any text, half pairs of surrogates and control characters too. */
const text = fc.oneof(fc.string(), fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }));
const nested = fc.integer({ min: 1, max: 200 }).map((levels) => {
  let value: unknown = 'bottom';
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { in: value };
  return value;
});
const large = fc.constantFrom(2 ** 53 + 2, -(2 ** 60), Number.MAX_VALUE, Number.MIN_VALUE, 1e21, 0.1 + 0.2);
const scalar = fc.oneof(
  text,
  large,
  fc.constantFrom(null, false, 0, ''),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
);
const object = fc.dictionary(fc.oneof(text, fc.constant('__proto__')), fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })), {
  maxKeys: 4,
});
const value = fc.oneof(scalar, object, fc.array(object, { maxLength: 3 }), nested, fc.constant(undefined));
const error = fc.record({ type: text, message: text, stage: text, attempts: whole(1000) });
const stageNo = fc.integer({ min: 1, max: stages.length });
const instant = fc.integer({ min: -1e12, max: 1e12 });
const route = fc.option(fc.tuple(fc.array(stageNo, { minLength: 1, maxLength: 4 }), fc.boolean()).map(routeFrom));

function routeFrom([numbers, ends]: [number[], boolean]): Route {
  const last: Route = { stage: ends ? null : stageOf(numbers[0] as number), rest: null };
  return numbers.reduce<Route>((rest, no) => ({ stage: stageOf(no), rest }), last);
}

const born = fc.record({
  id: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 512 })),
  feed: fc.integer({ min: 0, max: feeds.length - 1 }),
  priority: whole(PRIORITY_MAX),
  value,
  metadata: fc.option(object),
  stage: stageNo,
  at: instant,
});
const state = fc.record({
  status: fc.constantFrom('queued' as const, 'in_progress' as const, 'retrying' as const, 'skipped' as const),
  stage: stageNo,
  place: fc.constantFrom(0 as const, 1 as const, 2 as const),
  ord: whole(Number.MAX_SAFE_INTEGER),
  taskIndex: whole(100),
  attempts: whole(1_000),
  earlierAttempts: whole(1_000_000),
  lastError: fc.option(error),
  deliveries: whole(5),
  at: instant,
  lastEvent: whole(2 ** 48),
});
const change = fc.oneof(
  fc.record({ is: fc.constant('moved' as const), state }),
  fc.record({ is: fc.constant('changed' as const), value, state }),
  fc.record({ is: fc.constant('as it was fed' as const) }),
  fc.record({ is: fc.constant('rerouted' as const), route }),
  fc.record({ is: fc.constant('completed' as const), value: fc.option(value) }),
  fc.record({ is: fc.constant('cancelled' as const), error }),
  fc.record({ is: fc.constant('failed' as const), error }),
  fc.record({ is: fc.constant('retried' as const), at: instant }),
  fc.record({ is: fc.constant('gone' as const) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
type Born = typeof born extends fc.Arbitrary<infer T> ? T : never;

function create(seq: number, { id, feed, priority, value, metadata, stage, at }: Born): Item {
  const item = new Item(id, PREFIX, seq, feeds[feed] as Feed, priority, value, metadata ?? NO_METADATA, stageOf(stage), at);
  item.stored = new StoredState();
  return item;
}

/** The item, or the one that goes on in its place. */
function carryOut(item: Item, step: Change): Item {
  if (item.isFinal && step.is !== 'retried' && step.is !== 'gone') return item;
  switch (step.is) {
    case 'moved':
    case 'changed': {
      const { stage, deliveries, at, ...rest } = step.state;
      Object.assign(item, rest, { stage: stageOf(stage), updatedAt: at });
      item.stored.deliveries = deliveries;
      if (step.is === 'changed') item.value = step.value;
      return item;
    }
    case 'as it was fed':
      item.value = item.fed;
      return item;
    case 'rerouted':
      item.route = step.route;
      return item;
    case 'completed':
      item.status = 'completed';
      if (step.value !== null) item.value = step.value;
      item.fed = undefined;
      return item;
    case 'cancelled':
      item.status = 'cancelled';
      item.error = step.error;
      item.fed = undefined;
      return item;
    case 'failed':
      item.status = 'failed';
      item.error = step.error;
      item.lastError = step.error;
      return item;
    case 'retried': {
      if (item.status !== 'failed' || !item.isKept) return item;
      const { givenId, sequenceId, feed, priority, fed, metadata } = item;
      const next = new Item(givenId, PREFIX, sequenceId, feed, priority, fed, metadata, feed.target as Stage, step.at);
      next.stored = new StoredState();
      next.stored.written = rewritten(item.stored.written);
      return next;
    }
    case 'gone':
      if (!item.isFinal) return item;
      Object.assign(item, { isKept: false, value: undefined, fed: undefined, metadata: NO_METADATA });
      return item;
  }
}

/** All that has to come back; of an item that is gone its texts have not. */
function shown(item: Item) {
  const { id, givenId, sequenceId, priority, status, isKept, place, ord, taskIndex, attempts, earlierAttempts, lastEvent } = item;
  const way: (number | null)[] = [];
  for (let rest = item.route; rest !== null; rest = rest.rest) way.push(rest.stage?.no ?? null);
  const { value, fed, metadata } = item;
  return {
    ...{ id, givenId, sequenceId, priority, isKept, place, ord, taskIndex, attempts, earlierAttempts, lastEvent },
    ...{ feed: item.feed.ordinal, stage: item.stage.no, deliveries: item.stored.deliveries },
    ...{ acceptedAt: item.acceptedAt, updatedAt: item.updatedAt },
    ...(isKept ? { status, value, fed, metadata, error: item.error, lastError: item.lastError, way } : {}),
  };
}

/** Writes an item after each of its changes, and compares what is read in the end. */
async function expectSame(
  first: Item,
  steps: readonly Change[],
  write: (packed: PackedItems) => unknown,
  read: () => StoredItem | undefined,
) {
  const writes = new ItemWrites();
  let item = first;
  writes.add(item, time, history.current);
  await write(writes.take() as PackedItems);
  for (const step of steps) {
    item = carryOut(item, step);
    writes.add(item, time, history.current);
    await write(writes.take() as PackedItems);
  }
  const row = read() as StoredItem;
  const found = toItem(row, references);
  expect(shown(found)).toEqual(shown(item));
  // What was fed is not stored beside the result: nothing can be retried from it.
  if (item.status === 'completed') expect([row.value, row.fed]).toContain(null);
  if (!item.isKept) expect({ ...row, id: null }).toMatchObject({ value: null, fed: null, metadata: null, error: null, id: null });
}

const lives = fc.tuple(born, fc.array(change, { maxLength: 6 }));
const LAST_SEQUENCE = 2 ** 36 - 1;

describe('an item that is written change by change', () => {
  it('is the same when its row is read', async () => {
    await fc.assert(
      fc.asyncProperty(lives, whole(LAST_SEQUENCE), async ([first, steps], seq) => {
        const rows = new Map<number, StoredItem>();
        await expectSame(
          create(seq, first),
          steps,
          (packed) => applyItems(rows, packed),
          () => rows.get(seq),
        );
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('is the same when SQLite has it', { timeout: 30_000 }, async () => {
    const store = await openSqliteStore({ file: join(folderWith(), 'items.db'), inProcess: true });
    onTestFinished(() => store.close());
    await store.write({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
    const shelf = store.shelf(1);
    let seq = LAST_SEQUENCE + 1;
    await fc.assert(
      fc.asyncProperty(lives, async ([first, steps]) => {
        // Ids are a caller's and unique; one of another run is no matter of this one.
        const own = first.id === null ? null : `${--seq} ${first.id}`;
        if (own === null) seq--;
        await expectSame(
          create(seq, { ...first, id: own }),
          steps,
          (items) => store.write(noWrites(1, { items })),
          () => shelf.bySequence(seq, 'all'),
        );
        // What is found by its id is the same row.
        const row = shelf.bySequence(seq, 'all') as StoredItem;
        if (own !== null && row.status !== 7) expect(shelf.byId(own, 'all')).toEqual(row);
      }),
      { seed, numRuns: 150 },
    );
  });

  it('takes no place for what JSON cannot say', () => {
    const rows = new Map<number, StoredItem>();
    const writes = new ItemWrites();
    writes.add(
      create(1, {
        id: null,
        feed: 0,
        priority: 1,
        value: { zero: -0, none: undefined },
        metadata: { nan: Number.NaN, far: -1 / 0 },
        stage: 1,
        at: 0,
      }),
      time,
      history.current,
    );
    applyItems(rows, writes.take() as PackedItems);
    const { value, metadata } = toItem(rows.get(1) as StoredItem, references);
    expect(value).toStrictEqual({ zero: 0 });
    expect(metadata).toStrictEqual({ nan: null, far: null });
  });
});

describe('a row that nobody has written so', () => {
  const row = (): StoredItem => {
    const rows = new Map<number, StoredItem>();
    const writes = new ItemWrites();
    writes.add(create(7, { id: 'a', feed: 0, priority: 1, value: { n: 1 }, metadata: null, stage: 1, at: 0 }), time, history.current);
    applyItems(rows, writes.take() as PackedItems);
    return rows.get(7) as StoredItem;
  };
  it.each(['value', 'fed', 'metadata', 'error', 'route'] as const)('is told by its sequence id and the name of its field: %s', (field) => {
    expect(() => toItem({ ...row(), [field]: '{"n":' }, references)).toThrow(
      `The store is damaged: the ${field} of the item with the sequence id 7 cannot be read`,
    );
  });
  it('is not taken for a completed one when its status is unknown', () => {
    expect(() => toItem({ ...row(), status: 8 }, references)).toThrow(/the status of the item with the sequence id 7 cannot be read/);
  });
});
