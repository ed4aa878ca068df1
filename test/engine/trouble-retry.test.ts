import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { createGate, eventsOf, expectBooksToBalance, historyOf, virtualPipeline } from './harness.ts';

/** Fails as long as it is told to. */
function createSwitch() {
  const it = {
    isOn: true,
    task: function switched(value: unknown) {
      if (it.isOn) throw new TypeError('switched on');
      return value;
    },
  };
  return it;
}
const add = (letter: string) => (value: unknown) => `${value}${letter}`;

describe('retrying a failed item', () => {
  it('goes on at the task that failed, with the value that it had there', async () => {
    const bad = createSwitch();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [add('a'), bad.task, add('b')], taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x', value: '-' }]);
    expect(await pipeline.runtime.item('x')).toMatchObject({ status: 'failed', value: '-a' });
    bad.isOn = false;
    expect(await pipeline.runtime.retryItem('x')).toMatchObject({ id: 'x', sequenceId: 1, error: null });
    await clock.settle();
    expect(pipeline.results).toMatchObject([{ id: 'x', value: '-ab', error: null }]);
    expectBooksToBalance({ pipeline });
  });

  it('goes through the whole stage again in per_stage, with the value that came in', async () => {
    const bad = createSwitch();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [add('a'), bad.task, add('b')], retry: 'per_stage', stageAttempts: 1 },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x', value: '-' }]);
    bad.isOn = false;
    await pipeline.runtime.retryItem('x');
    await clock.settle();
    expect(pipeline.results[0]?.value).toBe('-ab');
  });

  it('starts at an earlier stage with the value that was fed, at a later one with the value that it failed with', async () => {
    const bad = createSwitch();
    const stages = () => [
      { name: 'A', tasks: [add('a')] },
      { name: 'B', tasks: [add('b'), bad.task], taskAttempts: 1 },
      { name: 'C', tasks: [add('c')] },
    ];
    const outcomes: unknown[] = [];
    for (const from of ['A', 'B', 'C']) {
      bad.isOn = true;
      const { pipeline, clock } = virtualPipeline(stages());
      await pipeline.start();
      await pipeline.feed([{ id: 'x', value: '-' }]);
      await clock.settle();
      bad.isOn = false;
      await pipeline.runtime.retryItem('x', from);
      await clock.settle();
      outcomes.push(pipeline.results[0]?.value);
      expectBooksToBalance({ pipeline });
    }
    expect(outcomes).toEqual(['-ab', '-ab', '-abc'].map((value, i) => (i < 2 ? `${value}c` : value)));
  });

  it('begins its attempts anew, and can fail again', async () => {
    const attempts: number[] = [];
    const task = (_value: unknown, { attempt }: TaskContext) => {
      attempts.push(attempt);
      throw new RangeError('always');
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskAttempts: 2 }]);
    await clock.finish(pipeline.run([{ id: 'x' }]));
    await pipeline.start();
    await pipeline.runtime.retryItem('x');
    await clock.finish(pipeline.join());
    expect(attempts).toEqual([1, 2, 1, 2]);
    expect(pipeline.getErrorSummary()).toMatchObject({ totalFailed: 1, errorsByType: { RangeError: 1 }, errorsByStage: { A: 1 } });
    expect(pipeline.getErrorSummary().failedItems).toHaveLength(1);
    expectBooksToBalance({ pipeline });
    expect(await historyOf(pipeline, 'x')).toEqual([
      ...['A:queued', 'A:in_progress', 'A:retrying', 'A:queued', 'A:in_progress', 'A:failed'],
      ...['A:queued', 'A:in_progress', 'A:retrying', 'A:queued', 'A:in_progress', 'A:failed'],
    ]);
  });

  it('leaves the events of the failure as they were', async () => {
    const bad = createSwitch();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [bad.task], taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x', value: 1 }]);
    bad.isOn = false;
    await pipeline.runtime.retryItem('x');
    await clock.settle();
    expect(eventsOf(pipeline, 'result').map(({ data }) => data)).toMatchObject([
      { id: 'x', value: null, error: { type: 'TypeError' } },
      { id: 'x', value: 1, error: null },
    ]);
    expect(pipeline.getErrorSummary()).toEqual({ totalFailed: 0, errorsByType: {}, errorsByStage: {}, failedItems: [] });
  });

  it('is refused for what has not failed, has not ended, or does not exist', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task], taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }, { id: 'y' }]);
    await expect(pipeline.runtime.retryItem('x')).rejects.toMatchObject({ code: 'item-not-final' });
    await expect(pipeline.runtime.retryItem('z')).rejects.toMatchObject({ code: 'item-not-found' });
    gate.fail('x', new Error('no'));
    await clock.settle();
    await expect(pipeline.runtime.retryItem('x', 'Z')).rejects.toMatchObject({ code: 'unknown-stage' });
    gate.open('y');
    await clock.settle();
    await expect(pipeline.runtime.retryItem('y')).rejects.toMatchObject({ code: 'item-final' });
    expect(pipeline.getStats()).toMatchObject({ itemsFailed: 1, itemsProcessed: 1 });
  });

  it('is refused while the pipeline drains, and waits for the next start when it has stopped', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [gate.task], taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }, { id: 'y' }]);
    gate.fail('x', new Error('no'));
    await clock.settle();
    const joined = pipeline.join();
    await expect(pipeline.runtime.retryItem('x')).rejects.toMatchObject({ code: 'draining' });
    gate.open('y');
    await joined;
    expect(await pipeline.runtime.retryItem('x')).toMatchObject({ status: 'queued' });
    await clock.settle();
    expect(gate.inside).toEqual([]);
    await pipeline.start();
    expect(gate.inside).toEqual(['x']);
    expectBooksToBalance({ pipeline });
  });

  it('shows once, by its last end, in a run that still waits for others', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [gate.task], taskAttempts: 1 }]);
    await pipeline.start();
    const running = pipeline.runtime.run(
      [
        { id: 'x', value: 1 },
        { id: 'y', value: 2 },
      ],
      {},
    );
    gate.fail('x', new Error('no'));
    await clock.settle();
    await pipeline.runtime.retryItem('x');
    gate.open();
    const { results, errorSummary } = await running;
    expect(results.map(({ id, value, error }) => [id, value, error])).toEqual([
      ['x', 1, null],
      ['y', 2, null],
    ]);
    expect(errorSummary.totalFailed).toBe(0);
  });
});

describe('retrying all that failed', () => {
  it('takes those of a stage, an error type, or a feed', async () => {
    const fail = (value: unknown) => {
      if (value === 'type') throw new TypeError('t');
      throw new RangeError('r');
    };
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [(value: unknown) => (value === 'late' ? value : fail(value))], taskAttempts: 1 },
      { name: 'B', tasks: [fail], taskAttempts: 1 },
    ]);
    await pipeline.start();
    await pipeline.feed(['type', 'range', 'late'], { feedId: 'one' });
    await pipeline.feed(['type', 'late'], { feedId: 'two' });
    await clock.settle();
    const { runtime } = pipeline;
    for (const [query, count] of [
      [{ stage: 'A' }, 3],
      [{ errorType: 'TypeError' }, 2],
      [{ feedId: 'two' }, 2],
      [{ feedId: 'two', stage: 'B', errorType: 'RangeError' }, 1],
      [{ feedId: 'none' }, 0],
      [{}, 5],
    ] as const) {
      expect(await runtime.retryFailed(query)).toBe(count);
      await clock.settle();
      expect(pipeline.getStats().itemsFailed).toBe(5);
      expectBooksToBalance({ pipeline });
    }
  });

  it('again and again does not push finished items out of what is kept', async () => {
    const fail = (value: unknown) => {
      if (value === 'bad') throw new Error('always');
      return value;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [fail], taskAttempts: 1 }], { retention: { maxItems: 5 } });
    await pipeline.start();
    await pipeline.feed([
      { id: 'good', value: 1 },
      { id: 'bad', value: 'bad' },
    ]);
    for (let i = 0; i < 20; i++) {
      await pipeline.runtime.retryFailed({});
      await clock.settle();
    }
    expect(pipeline.results.map(({ id }) => id)).toEqual(['good']);
  });
});
