import { describe, expect, it } from 'vitest';
import type { Hook, StageOptions } from '../../src/engine/index.ts';
import { expectBooksToBalance, historyOf, virtualPipeline } from './harness.ts';

const never = () => new Promise<never>(() => undefined);
const boom = (): never => {
  throw new Error('boom');
};
const trap = () =>
  Object.defineProperty({}, 'then', {
    get() {
      throw new Error('no then');
    },
  });
const bad: [name: string, callback: () => unknown, seconds: number][] = [
  ['throws', boom, 0],
  ['throws nothing', () => Promise.reject(), 0],
  ['rejects', () => Promise.reject(new Error('boom')), 0],
  ['never settles', never, 30],
  ['answers with what cannot be read', trap, 0],
];

describe('a hook', () => {
  const ends: [hook: 'onSuccess' | 'onFailure' | 'onSkip', rest: Partial<StageOptions>, status: string][] = [
    ['onSuccess', {}, 'completed'],
    ['onFailure', { tasks: [boom], taskAttempts: 1 }, 'failed'],
    ['onSkip', { skipIf: () => true }, 'completed'],
  ];
  for (const [hook, rest, status] of ends) {
    for (const [name, callback, seconds] of bad) {
      it(`changes nothing when ${hook} ${name}`, async () => {
        let calls = 0;
        const counting: Hook = () => {
          calls++;
          return callback();
        };
        const { pipeline, clock, logs } = virtualPipeline([{ name: 'A', tasks: [(v: unknown) => v], [hook]: counting, ...rest }]);
        await clock.finish(pipeline.run([{ id: 'x' }]));
        expect(await pipeline.runtime.item('x')).toMatchObject({ status });
        expect(calls).toBe(1);
        expect(clock.seconds).toBe(seconds);
        expect(logs.map(({ level }) => level)).toEqual(['warn']);
        expectBooksToBalance({ pipeline });
      });
    }
  }

  it('gets the id, the value or error, and where it happened', async () => {
    const seen: unknown[][] = [];
    const hook = (...args: unknown[]) => void seen.push(args);
    const task = (value: { bad?: true }) => {
      if (value.bad) throw new RangeError('bad');
      return 'good';
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskAttempts: 2, onSuccess: hook, onFailure: hook }]);
    await clock.finish(
      pipeline.run(
        [
          { id: 'x', value: {}, colour: 'red' },
          { id: 'y', value: { bad: true } },
        ],
        { feedId: 'f' },
      ),
    );
    expect(seen).toEqual([
      ['x', 'good', { sequenceId: 1, feedId: 'f', stage: 'A', attempts: 1, metadata: { colour: 'red' } }],
      [
        'y',
        new RangeError('bad'),
        { sequenceId: 2, feedId: 'f', stage: 'A', attempts: 2, metadata: {}, value: { bad: true }, input: { bad: true } },
      ],
    ]);
  });

  it('cannot change the value or the metadata that it is shown', async () => {
    const vandal: Hook = (_id, value, { metadata }) => {
      (value as { n: number }).n = 999;
      metadata.colour = 'black';
    };
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [() => ({ n: 1 })], onSuccess: vandal },
      { name: 'B', tasks: [(value: unknown) => value], onSuccess: vandal },
    ]);
    const [result] = await clock.finish(pipeline.run([{ id: 'x', colour: 'red' }]));
    expect(result).toMatchObject({ value: { n: 1 }, metadata: { colour: 'red' } });
  });

  it('that is still asked keeps the end that it was told when its item is cancelled, in the last stage', async () => {
    const told = Promise.withResolvers<void>();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [(v: unknown) => v], onSuccess: () => told.promise }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }]);
    await pipeline.runtime.cancelItem('x');
    told.resolve();
    await clock.settle();
    expect(await pipeline.runtime.item('x')).toMatchObject({ status: 'completed' });
  });

  it('that is still asked does not keep its item from being cancelled before the next stage', async () => {
    const told = Promise.withResolvers<void>();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [(v: unknown) => v], onSuccess: () => told.promise },
      { name: 'B', tasks: [boom] },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }]);
    await pipeline.runtime.cancelItem('x');
    told.resolve();
    await clock.settle();
    expect(await historyOf(pipeline, 'x')).toEqual(['A:queued', 'A:in_progress', 'A:cancelled']);
    expectBooksToBalance({ pipeline });
  });

  it('may shut the pipeline down by force; its item has ended as it was told', async () => {
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        tasks: [boom],
        taskAttempts: 1,
        onFailure: () => void pipeline.shutdown('force'),
      },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }, { id: 'y' }]);
    await clock.settle();
    expect(pipeline.state).toBe('stopped');
    expect(await pipeline.runtime.item('x')).toMatchObject({ status: 'failed' });
    expect(await pipeline.runtime.item('y')).toMatchObject({ status: 'queued' });
    expectBooksToBalance({ pipeline });
  });
});

describe('a predicate', () => {
  for (const [name, callback, seconds] of bad) {
    it(`means "do not skip" when it ${name}`, async () => {
      const { pipeline, clock, logs } = virtualPipeline([{ name: 'A', tasks: [() => 'ran'], skipIf: callback as () => boolean }]);
      const [result] = await clock.finish(pipeline.run([{ id: 'x', value: 1 }]));
      expect(result?.value).toBe('ran');
      expect(clock.seconds).toBe(seconds);
      expect(logs.map(({ level }) => level)).toEqual(['warn']);
      expectBooksToBalance({ pipeline });
    });
  }

  it('cannot change the value that it is asked about', async () => {
    const meddle = (value: unknown) => {
      (value as { n: number }).n = 2;
      return false;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [(value: unknown) => value], skipIf: meddle }]);
    const [result] = await clock.finish(pipeline.run([{ n: 1 }]));
    expect(result?.value).toEqual({ n: 1 });
  });

  it('has its item in progress while it is asked, in the list of items as in the counters', async () => {
    const { promise: answer, resolve } = Promise.withResolvers<boolean>();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [() => 'ran'], skipIf: () => answer }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }, { id: 'y' }]);
    const listed = async (status: 'queued' | 'in_progress') =>
      (await pipeline.runtime.items({ status: [status], after: 0, limit: 10 })).rows.map(({ id }) => id);
    expect((await pipeline.runtime.stats()).statusCounts).toMatchObject({ queued: 1, in_progress: 1 });
    expect([await listed('queued'), await listed('in_progress')]).toEqual([['y'], ['x']]);
    expect(await pipeline.runtime.item('x')).toMatchObject({ status: 'in_progress', worker: 'A-W0' });
    resolve(true);
    await clock.finish(pipeline.join());
    expect((await pipeline.runtime.item('x')).history.map(({ status }) => status)).toEqual(['queued', 'skipped']);
    expectBooksToBalance({ pipeline });
  });

  it('that never settles does not hold an item that is cancelled for ever', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [boom], skipIf: never }], { hookTimeoutSeconds: 2 });
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }]);
    await pipeline.runtime.cancelItem('x');
    await clock.advance(2_000);
    expect(await pipeline.runtime.item('x')).toMatchObject({ status: 'cancelled' });
    await clock.finish(pipeline.join());
  });

  it('may shut the pipeline down by force; its item goes back to the queue and runs after the next start', async () => {
    let calls = 0;
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        tasks: [() => 'ran'],
        skipIf: () => {
          if (calls++ === 0) void pipeline.shutdown('force');
          return false;
        },
      },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }]);
    await clock.settle();
    expect(await pipeline.runtime.item('x')).toMatchObject({ status: 'queued', attempts: 0 });
    expectBooksToBalance({ pipeline });
    await pipeline.start();
    await clock.settle();
    expect(pipeline.results.map(({ value }) => value)).toEqual(['ran']);
    expect(calls).toBe(2);
  });

  it('is asked once an item, not before its retries', async () => {
    let calls = 0;
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [boom], skipIf: () => ++calls > 1, retry: 'per_stage' },
      { name: 'B', tasks: [boom] },
    ]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(result?.error).toMatchObject({ stage: 'A', attempts: 3 });
    expect(calls).toBe(1);
  });
});
