import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { createGate, eventsOf, expectBooksToBalance, virtualPipeline } from './harness.ts';

describe('a task that never settles', () => {
  it('holds its worker without a timeout, until its item is cancelled', async () => {
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [(v: unknown) => (v === 'hang' ? new Promise(() => undefined) : v)] },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x', value: 'hang' }, { id: 'y' }]);
    await clock.advance(3_600_000);
    expect(pipeline.getStats()).toMatchObject({ itemsInFlight: 2, itemsProcessed: 0 });
    await pipeline.runtime.cancelItem('x');
    await clock.settle();
    expect(pipeline.getStats()).toMatchObject({ itemsInFlight: 0, itemsProcessed: 1, handlersIgnoringSignal: 1 });
  });

  it('fails after its attempts with a timeout, which frees the worker each time', async () => {
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        tasks: [(v: unknown) => (v === 'hang' ? new Promise(() => undefined) : v)],
        taskTimeoutSeconds: 2,
        taskAttempts: 2,
        taskWaitSeconds: 10,
      },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x', value: 'hang' }, { id: 'y' }]);
    await clock.advance(1_999);
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 0 });
    await clock.advance(1);
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 1, statusCounts: { retrying: 1 } });
    await clock.advance(12_000);
    expect(await pipeline.runtime.item('x')).toMatchObject({
      status: 'failed',
      error: { type: 'TaskTimeoutError', message: 'took longer than 2 s', stage: 'A', attempts: 2 },
    });
    expect(pipeline.getStats().handlersIgnoringSignal).toBe(2);
    expectBooksToBalance({ pipeline });
  });

  it('aborts the signal with the timeout as its reason', async () => {
    let reason: unknown;
    const waits = (_value: unknown, { signal }: TaskContext) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          reject(signal.reason);
        });
      });
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [waits], taskTimeoutSeconds: 1, taskAttempts: 1 }]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(reason).toMatchObject({ name: 'TaskTimeoutError' });
    expect(result?.error).toMatchObject({ type: 'TaskTimeoutError' });
    expect(pipeline.getStats().handlersIgnoringSignal).toBe(0);
  });

  it('has its timeout for each attempt anew, and for each task', async () => {
    const slow = (seconds: number) => (value: unknown) => new Promise((resolve) => clock.setTimer(() => resolve(value), seconds * 1000));
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [slow(3), slow(3), slow(3)], taskTimeoutSeconds: 4 }]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(result?.error).toBeNull();
    expect(clock.seconds).toBe(9);
    expect(clock.pending).toBe(0);
  });
});

describe('a handler that goes on after its timeout', () => {
  for (const how of ['resolves', 'rejects'] as const) {
    it(`changes nothing when it ${how} late`, async () => {
      const gate = createGate();
      const deaf = (value: unknown, { itemId, attempt }: TaskContext) =>
        attempt === 1 ? gate.task(value, { itemId, signal: new AbortController().signal }) : 'second';
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [deaf], taskTimeoutSeconds: 1, taskWaitSeconds: 1 }]);
      await pipeline.start();
      await pipeline.feed([{ id: 'x' }]);
      await clock.advance(1_000);
      expect(pipeline.getStats()).toMatchObject({ handlersIgnoringSignal: 1, statusCounts: { retrying: 1 } });
      if (how === 'resolves') gate.open('x', 'late');
      else gate.fail('x', new Error('late'));
      await clock.settle();
      expect(pipeline.getStats()).toMatchObject({ handlersIgnoringSignal: 0, statusCounts: { retrying: 1 } });
      await clock.advance(1_000);
      expect(pipeline.results.map(({ value }) => value)).toEqual(['second']);
      const types = eventsOf(pipeline, 'task').map(({ data }) => ('eventType' in data ? `${data.eventType} ${data.attempt}` : ''));
      expect(types).toEqual(['start 1', 'retry 1', 'start 2', 'complete 2']);
      expectBooksToBalance({ pipeline });
    });
  }

  it('cannot speak for the item any more', async () => {
    const gate = createGate();
    let late: (() => boolean) | undefined;
    const deaf = (value: unknown, ctx: TaskContext) => {
      late ??= () => {
        ctx.progress(0.5);
        return ctx.setStatus('still here');
      };
      return gate.task(value, ctx);
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [deaf], taskTimeoutSeconds: 1, taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }, { id: 'y' }]);
    await clock.advance(1_000);
    const before = pipeline.events.newest;
    expect(late?.()).toBe(false);
    expect(pipeline.events.newest).toBe(before);
    expect(pipeline.getWorkerStates()['A-W0']).toMatchObject({ currentItemId: 'y', taskStatus: null });
  });
});

describe('a task that blocks the event loop', () => {
  it('has its time counted, and its timeout never cuts what has ended already', async () => {
    const busy = (value: unknown) => {
      clock.block(5_000);
      return value;
    };
    const busyAsync = async (value: unknown) => busy(value);
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [busy, busyAsync], taskTimeoutSeconds: 1 }]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(result?.error).toBeNull();
    expect(pipeline.getWorkerMetrics()['A-W0']).toMatchObject({ totalProcessingTimeSeconds: 10, avgProcessingTimeSeconds: 10 });
  });
});

describe('a wait that a task asks for', () => {
  it('replaces the stage’s own', async () => {
    const task = (_value: unknown, ctx: TaskContext) => {
      if (ctx.attempt === 1) throw ctx.retryAfter(7);
      return clock.seconds;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskWaitSeconds: 100 }]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(result?.value).toBe(7);
  });

  for (const seconds of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5', null]) {
    it(`is ignored when it makes no sense: ${seconds}`, async () => {
      const task = (_value: unknown, ctx: TaskContext) => {
        if (ctx.attempt === 1) throw Object.assign(new Error('busy'), { retryAfterSeconds: seconds });
        return clock.seconds;
      };
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskWaitSeconds: 3 }]);
      const [result] = await clock.finish(pipeline.run(['x']));
      expect(result?.value).toBe(3);
    });
  }

  it('can be absurdly long, and be looked at meanwhile', async () => {
    const task = (_value: unknown, ctx: TaskContext) => {
      throw ctx.retryAfter(1e300);
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task] }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }]);
    await clock.advance(1_000);
    expect(await pipeline.runtime.item('x')).toMatchObject({
      status: 'retrying',
      waitingFor: { reason: 'retry', until: expect.any(String) },
    });
    expect(pipeline.getDashboardSnapshot().pipelineStats.statusCounts.retrying).toBe(1);
  });

  it('does not help against a permanent error', async () => {
    let runs = 0;
    const task = (_value: unknown, ctx: TaskContext) => {
      runs++;
      throw ctx.permanent('gone');
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskAttempts: 5 }]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(result?.error).toEqual({ type: 'PermanentError', message: 'gone', stage: 'A', attempts: 1 });
    expect(runs).toBe(1);
  });
});
