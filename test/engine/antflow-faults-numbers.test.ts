import { describe, expect, it } from 'vitest';
import { Pipeline, StatusTracker, type TaskContext } from '../../src/engine/index.ts';
import { createGate, eventsOf, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;
const failOn =
  (...bad: unknown[]) =>
  (value: unknown) => {
    if (bad.includes(value)) throw new RangeError(`File: ${value}`);
    return value;
  };

// Each title names a fault of AntFlow 0.7.2 or 0.10.0, as seen by running it, that is none here.
describe('AntFlow’s numbers are wrong', () => {
  it('B1: failed items are in no result', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [failOn(1, 3)], taskAttempts: 2 }]);
    const results = await clock.finish(pipeline.run([0, 1, 2, 3]));
    expect(results.map(({ value, error }) => [value, error?.type, error?.attempts])).toEqual([
      [0, undefined, undefined],
      [null, 'RangeError', 2],
      [2, undefined, undefined],
      [null, 'RangeError', 2],
    ]);
    expect(pipeline.results.map(({ value }) => value)).toEqual([0, 2]);
  });

  it('B2: a per_stage failure is missing in the stage’s and the worker’s counters, and calls no hook', async () => {
    const told: unknown[] = [];
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [failOn('x')], retry: 'per_stage', onFailure: (_id, error) => void told.push(error) },
    ]);
    await clock.finish(pipeline.run(['x']));
    expect(pipeline.getStats()).toMatchObject({ itemsFailed: 1, stageStats: { A: { failedItems: 1, retriedItems: 2 } } });
    expect(pipeline.getWorkerMetrics()['A-W0']).toMatchObject({ itemsFailed: 1, itemsProcessed: 0 });
    expect(told).toEqual([new RangeError('File: x')]);
    expect(pipeline.getErrorSummary()).toMatchObject({ totalFailed: 1, failedItems: [{ attempts: 3 }] });
  });

  it('B3, B4: a failed item’s attempts read 1, and its type is guessed from its text', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [failOn('x')] }]);
    await clock.finish(pipeline.run([{ id: 'i', value: 'x' }]));
    expect(pipeline.getErrorSummary()).toEqual({
      totalFailed: 1,
      errorsByType: { RangeError: 1 },
      errorsByStage: { A: 1 },
      failedItems: [
        { itemId: 'i', error: 'File: x', errorType: 'RangeError', stage: 'A', attempts: 3, timestamp: '2026-01-01T00:00:03.000Z' },
      ],
    });
  });

  it('B5, B6: the tracker’s counts lack statuses, and count items as completed that have left only the first stage', async () => {
    const gate = createGate();
    const statusTracker = new StatusTracker();
    const { pipeline, clock } = virtualPipeline(
      [
        { name: 'A', tasks: [passOn] },
        { name: 'B', tasks: [gate.task] },
      ],
      { statusTracker },
    );
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }, { id: 'b' }]);
    await clock.settle();
    expect(statusTracker.getStats()).toEqual({ queued: 1, in_progress: 1, completed: 0, failed: 0, retrying: 0, skipped: 0, cancelled: 0 });
    gate.open();
    await clock.settle();
    expect(statusTracker.getStats()).toMatchObject({ completed: 1, in_progress: 1 });
    expect(eventsOf(pipeline, 'status').filter(({ data }) => 'final' in data && data.final)).toMatchObject([
      { data: { itemId: 'a', stage: 'B', status: 'completed', worker: 'B-W0' } },
    ]);
  });

  it('B7: items with the same id merge, and automatic ids collide with the caller’s', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    const first = await pipeline.runtime.feed(['auto', 'auto'], {});
    const [taken = ''] = first.ids ?? [];
    const next = taken.replace(/1$/, '3');
    expect(await pipeline.runtime.feed([{ id: next, value: 'mine' }, { id: next, value: 'again' }, 'auto', { id: '0' }], {})).toMatchObject(
      {
        accepted: 3,
        duplicates: 1,
      },
    );
    await clock.finish(pipeline.join());
    const ids = pipeline.results.map(({ id }) => id);
    expect(new Set(ids).size).toBe(5);
    expect(await pipeline.runtime.item(next)).toMatchObject({ value: 'mine' });
    for (const id of ids) expect(await pipeline.runtime.item(id)).toMatchObject({ id });
  });

  it('B8: stages of the same name share workers and counters', () => {
    const stage = { name: 'A', tasks: [passOn] };
    expect(() => new Pipeline({ stages: [stage, stage] })).toThrow(/"A" is already the name of an earlier stage/);
  });

  it('B9: a second run returns the first one’s results too', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await clock.finish(pipeline.run([1, 2]));
    const results = await clock.finish(pipeline.run([3]));
    expect(results.map(({ value }) => value)).toEqual([3]);
    expect(pipeline.results.map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  it('B10: the average processing time divides by successes only', async () => {
    const task = async (value: unknown) => {
      await new Promise<void>((resolve) => clock.setTimer(resolve, 50));
      return failOn('bad')(value);
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskAttempts: 1 }]);
    await clock.finish(pipeline.run(['bad', 'bad', 'bad', 'good']));
    expect(pipeline.getWorkerMetrics()['A-W0']).toMatchObject({
      itemsProcessed: 1,
      itemsFailed: 3,
      totalProcessingTimeSeconds: 0.2,
      avgProcessingTimeSeconds: 0.05,
    });
  });

  it('B11: a task’s duration includes the wait for its limit', async () => {
    async function slow() {
      await new Promise<void>((resolve) => clock.setTimer(resolve, 100));
    }
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 3, tasks: [slow], taskConcurrencyLimits: { slow: 1 } }]);
    await clock.finish(pipeline.run([1, 2, 3]));
    const durations = eventsOf(pipeline, 'task').flatMap(({ data }) =>
      'durationSeconds' in data && data.durationSeconds !== null ? [data.durationSeconds] : [],
    );
    expect(durations).toEqual([0.1, 0.1, 0.1]);
    for (const metrics of Object.values(pipeline.getWorkerMetrics())) expect(metrics.totalProcessingTimeSeconds).toBeCloseTo(0.1);
  });

  it('B12: a worker held by a full next stage looks busy with a task', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [passOn] },
      { name: 'B', tasks: [gate.task], queueCapacity: 1 },
    ]);
    await pipeline.start();
    await pipeline.feed(['a', 'b', 'c'].map((id) => ({ id })));
    await clock.advance(5_000);
    expect(pipeline.getWorkerStates()['A-W0']).toMatchObject({
      status: 'busy',
      currentItemId: 'c',
      currentTask: null,
      waitingFor: { reason: 'next-stage-full', stage: 'B' },
    });
    expect(pipeline.getWorkerMetrics()['A-W0']?.totalProcessingTimeSeconds).toBe(0);
  });

  it('B13: without a tracker the error summary is only a number', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [failOn('x')], taskAttempts: 1 }]);
    await clock.finish(pipeline.run(['x']));
    expect(pipeline.getErrorSummary()).toMatchObject({ errorsByStage: { A: 1 }, failedItems: [{ stage: 'A' }] });
  });

  it('B14: a failed event names no worker', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [failOn('x')], taskAttempts: 1 }]);
    await clock.finish(pipeline.run(['x']));
    expect(eventsOf(pipeline, 'status').at(-1)).toMatchObject({
      data: { status: 'failed', worker: 'A-W0', final: true, metadata: { error: 'File: x', errorType: 'RangeError', attempts: 1 } },
    });
  });

  it('B15: a snapshot holds live objects that change afterwards', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }, { id: 'b' }]);
    const before = [pipeline.getDashboardSnapshot(), pipeline.getWorkerStates(), pipeline.getStats(), await pipeline.runtime.item('a')];
    const frozen = structuredClone(before);
    gate.open();
    await clock.settle();
    gate.fail('b', new Error('no'));
    await clock.settle();
    await pipeline.tune('A', { workers: 5 });
    expect(before).toEqual(frozen);
  });

  it('C6, C9: a failed attempt, a hook or a later task changes the value that others see', async () => {
    const grow = (value: string[], { attempt }: TaskContext) => {
      value.push(`attempt ${attempt}`);
      if (attempt < 3) throw new Error('not yet');
      return value;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [grow], retry: 'per_stage' }]);
    const [result] = await clock.finish(pipeline.run([[]]));
    expect(result?.value).toEqual(['attempt 3']);
  });

  it('C14: the interval of set_task_status leaks across items', async () => {
    const told: boolean[] = [];
    const task = (_value: unknown, ctx: TaskContext) => {
      told.push(ctx.setStatus('one', { minIntervalSeconds: 10 }), ctx.setStatus('two', { minIntervalSeconds: 10 }));
      clock.block(10_000);
      told.push(ctx.setStatus('three', { minIntervalSeconds: 10 }));
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task] }]);
    await clock.finish(pipeline.run([1, 2]));
    expect(told).toEqual([true, false, true, true, false, true]);
  });
});
