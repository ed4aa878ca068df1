import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, Pipeline, type StageOptions, type TaskHandler } from '../../src/engine/index.ts';
import { type Clock, silentLogger, systemClock, systemPorts } from '../../src/engine/ports.ts';
import { HOST, registryOf } from '../stores/durable-host.ts';

/** A clock on which nothing takes time but what the test says, and the order in which calls and turns of the event loop came. */
function watched() {
  let ms = 1000;
  const seen: ('task' | 'turn')[] = [];
  const clock: Clock = { ...systemClock, monotonic: () => ms };
  const busy = (value: unknown): unknown => {
    seen.push('task');
    ms += 100;
    return value;
  };
  let isWatching = true;
  const look = (): void => {
    seen.push('turn');
    if (isWatching) setImmediate(look);
  };
  setImmediate(look);
  onTestFinished(() => {
    isWatching = false;
  });
  return { clock, seen, busy };
}

/** How many calls in a row nobody else had a turn between. */
function longestRow(seen: readonly string[]): number {
  let longest = 0;
  let row = 0;
  for (const each of seen) {
    row = each === 'task' ? row + 1 : 0;
    longest = Math.max(longest, row);
  }
  return longest;
}

const MANY = 12;
const many = <T>(make: (i: number) => T): T[] => Array.from({ length: MANY }, (_, i) => make(i));

type Busy = (value: unknown) => unknown;
const shapes: [name: string, items: number, stages: (busy: Busy) => StageOptions[]][] = [
  ['many of one stage', 1, (busy) => [{ name: 'S', tasks: many(() => (value: unknown) => busy(value)) }]],
  ['many that answer in a microtask', 1, (busy) => [{ name: 'S', tasks: many(() => async (value: unknown) => busy(value)) }]],
  [
    'many under a limit',
    1,
    (busy) => [
      {
        name: 'S',
        tasks: many(
          () =>
            function limited(value: unknown) {
              return busy(value);
            },
        ),
        taskConcurrencyLimits: { limited: 1 },
      },
    ],
  ],
  ['one in each of many stages', 1, (busy) => many((i) => ({ name: `S${i}`, tasks: [busy] }))],
  ['one for each of many workers', MANY, (busy) => [{ name: 'S', workers: MANY, tasks: [busy] }]],
  [
    'many of a stage that is retried whole',
    1,
    (busy) => [{ name: 'S', retry: 'per_stage', tasks: many(() => (value: unknown) => busy(value)) }],
  ],
];

describe('many pipelines whose tasks take long at once', () => {
  it('let others have a turn, as one of them does', async () => {
    const { clock, seen, busy } = watched();
    const ports = { ...systemPorts, clock, logger: silentLogger };
    const pipelines = many(() => new Pipeline({ stages: [{ name: 'S', tasks: [busy] }], ports }));
    for (const pipeline of pipelines) onTestFinished(() => void pipeline.shutdown('force'));
    await Promise.all(pipelines.map((pipeline) => pipeline.run(many((i) => i))));
    const first = seen.indexOf('turn', seen.indexOf('task'));
    expect(seen.filter((each) => each === 'task')).toHaveLength(MANY * MANY);
    // Each begins in the turn in which it is fed.
    expect(longestRow(seen.slice(first))).toBeLessThanOrEqual(2);
  });

  it('let each other have a turn', async () => {
    const { clock, busy } = watched();
    const ports = { ...systemPorts, clock, logger: silentLogger };
    const order: number[] = [];
    const pipelines = many((i) => {
      const noted = (value: unknown): unknown => {
        order.push(i);
        return busy(value);
      };
      return new Pipeline({ stages: [{ name: 'S', tasks: [noted] }], ports });
    });
    for (const pipeline of pipelines) onTestFinished(() => void pipeline.shutdown('force'));
    await Promise.all(pipelines.map((pipeline) => pipeline.run(many((i) => i))));
    for (let from = 0; from < order.length; from += MANY) expect(new Set(order.slice(from, from + MANY)).size).toBe(MANY);
  });
});

describe('many feeds that are sent at once', () => {
  it('let others have a turn, and each other', async () => {
    const { clock, seen, busy } = watched();
    const order: string[] = [];
    const noted: TaskHandler = (value, { pipeline }) => {
      order.push(pipeline);
      return busy(value);
    };
    const host = createLocalHost({ ...HOST, registry: registryOf({ noted }), ports: { ...systemPorts, clock } });
    onTestFinished(() => host.close());
    const ids = many((i) => `p${i}`);
    for (const id of ids) await host.create({ id, stages: [{ name: 'S', tasks: ['noted'] }] });
    await Promise.all(
      ids.map(async (id) => {
        const writer = await host.get(id).openFeed({});
        // An idle worker begins an item in the turn in which it is accepted.
        for (let i = 0; i < 4; i++) await writer.push([i]);
        await writer.end();
      }),
    );
    await Promise.all(ids.map((id) => host.get(id).join()));
    expect(longestRow(seen)).toBeLessThanOrEqual(2);
    expect(order).toHaveLength(4 * MANY);
    for (let from = 0; from < order.length; from += MANY) expect(new Set(order.slice(from, from + MANY)).size).toBe(MANY);
  });
});

describe('tasks that take long at once', () => {
  it.each(shapes)('let others have a turn: %s', async (_name, items, stages) => {
    const { clock, seen, busy } = watched();
    const pipeline = new Pipeline({ stages: stages(busy), ports: { ...systemPorts, clock, logger: silentLogger } });
    onTestFinished(() => void pipeline.shutdown('force'));
    const results = await pipeline.run(Array.from({ length: items }, (_, i) => ({ id: `${i}`, value: i })));
    expect(results.map(({ value }) => value)).toEqual(Array.from({ length: items }, (_, i) => i));
    expect(seen.filter((each) => each === 'task')).toHaveLength(MANY);
    expect(longestRow(seen)).toBeLessThanOrEqual(2);
  });
});
