import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Pipeline, type TaskContext } from '../../src/engine/index.ts';
import { type Clock, systemClock } from '../../src/engine/ports.ts';
import { createGate, expectBooksToBalance, historyOf, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;
const named = (...ids: (string | number)[]) => ids.map((id) => ({ id: `${id}` }));
const nobody = new AbortController().signal;

describe('a graceful shutdown', () => {
  it('finishes what runs, leaves the rest queued, and names it', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1, 2, 3));
    const ending = pipeline.shutdown('graceful');
    await clock.settle();
    expect(pipeline.state).toBe('stopped');
    gate.open();
    expect(await ending).toEqual({
      mode: 'graceful',
      finished: 1,
      leftQueued: 2,
      aborted: 0,
      notKept: 2,
      notKeptIds: ['2', '3'],
      timedOut: false,
    });
    expectBooksToBalance({ pipeline });
    await clock.settle();
    expect(clock.pending).toBe(0);
  });

  it('hands over to a full next stage rather than wait for room', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', workers: 2, tasks: [passOn] },
      { name: 'B', tasks: [gate.task], queueCapacity: 1 },
    ]);
    await pipeline.start();
    await pipeline.feed(named(1, 2, 3, 4, 5));
    const ending = pipeline.shutdown();
    gate.open();
    expect(await clock.finish(ending)).toMatchObject({ finished: 1, leftQueued: 4 });
    expect(pipeline.getStats().queueSizes).toEqual({ A: 1, B: 3 });
    expectBooksToBalance({ pipeline });
  });

  it('takes back who only waits for a limit, and an attempt that never began does not count', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 3, tasks: [gate.task], taskConcurrencyLimits: { gated: 1 } }]);
    await pipeline.start();
    await pipeline.feed(named(1, 2, 3));
    await clock.settle();
    const ending = pipeline.shutdown();
    gate.open();
    expect(await ending).toMatchObject({ finished: 1, leftQueued: 2 });
    expect(await pipeline.runtime.item('2')).toMatchObject({ status: 'queued', attempts: 0 });
    await pipeline.start();
    await clock.settle();
    gate.open();
    await clock.settle();
    gate.open();
    await clock.finish(pipeline.join());
    expect(pipeline.getStats().itemsProcessed).toBe(3);
  });

  it('keeps the instants of retry waits, stops their timers, and goes on after the next start', async () => {
    const flaky = (_value: unknown, { attempt }: TaskContext) => {
      if (attempt < 3) throw new Error('not yet');
      return clock.seconds;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [flaky], taskWaitSeconds: 10 }]);
    await pipeline.start();
    await pipeline.feed(named(1));
    await clock.advance(4_000);
    expect(await pipeline.shutdown()).toMatchObject({ finished: 0, leftQueued: 1 });
    await clock.settle();
    expect(clock.pending).toBe(0);
    await clock.advance(1_000);
    await pipeline.start();
    await clock.advance(5_000);
    expect(await pipeline.runtime.item('1')).toMatchObject({ attempts: 2 });
    await clock.finish(pipeline.join());
    expect(pipeline.results[0]?.value).toBe(20);
  });

  it('turns to force when its time is up', async () => {
    let aborted: unknown;
    const deaf = (_value: unknown, { signal }: TaskContext) => {
      signal.addEventListener('abort', () => {
        aborted = signal.reason;
      });
      return new Promise(() => undefined);
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [deaf] }]);
    await pipeline.start();
    await pipeline.feed(named(1, 2));
    const ending = pipeline.shutdown('graceful', 30);
    expect(await clock.finish(ending)).toMatchObject({ mode: 'force', timedOut: true, aborted: 1, leftQueued: 2, finished: 0 });
    expect(clock.seconds).toBe(30);
    expect(aborted).toMatchObject({ name: 'AbortedError' });
    expect(await pipeline.runtime.item('1')).toMatchObject({ status: 'queued', attempts: 0 });
    expectBooksToBalance({ pipeline });
  });

  it('may have all the time in the world', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1));
    const ending = pipeline.shutdown('graceful', Number.POSITIVE_INFINITY);
    await clock.advance(3_600_000);
    gate.open();
    expect(await ending).toMatchObject({ mode: 'graceful', timedOut: false, finished: 1 });
    await clock.settle();
    expect(clock.pending).toBe(0);
  });
});

describe('a time limit that no timer of the platform can hold', () => {
  for (const seconds of [Number.POSITIVE_INFINITY, 1e10]) {
    it(`of ${seconds} s does not end at once`, async () => {
      vi.useFakeTimers();
      onTestFinished(() => void vi.useRealTimers());
      const gate = createGate();
      const { clock, timers } = countedTimers();
      const pipeline = new Pipeline({ stages: [{ name: 'A', tasks: [gate.task] }], ports: { clock } });
      await pipeline.start();
      await pipeline.feed(named(1));
      const joined = pipeline.runtime.join(seconds);
      const ending = pipeline.shutdown('drain', seconds);
      await vi.advanceTimersByTimeAsync(86_400_000);
      expect(pipeline.state).toBe('draining');
      gate.open();
      expect(await ending).toMatchObject({ mode: 'drain', timedOut: false, finished: 1 });
      expect(await joined).toMatchObject({ done: true });
      await vi.advanceTimersByTimeAsync(0);
      expect(timers.size).toBe(0);
    });
  }
});

/** The clock of the machine, with the timers that are set on it; those of the process may be anybody's. */
function countedTimers(): { clock: Clock; timers: Set<unknown> } {
  const timers = new Set<unknown>();
  const setTimer = (fn: () => void, ms: number): unknown => {
    const timer = systemClock.setTimer(() => {
      timers.delete(timer);
      fn();
    }, ms);
    timers.add(timer);
    return timer;
  };
  const clearTimer = (timer: unknown): void => {
    timers.delete(timer);
    systemClock.clearTimer(timer);
  };
  return { clock: { ...systemClock, setTimer, clearTimer }, timers };
}

describe('a draining shutdown', () => {
  it('finishes everything, through retry waits and paused stages', async () => {
    const flaky = (value: unknown, { attempt }: TaskContext) => {
      if (attempt < 3) throw new Error('not yet');
      return value;
    };
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [flaky] },
      { name: 'B', tasks: [passOn], queueCapacity: 1 },
    ]);
    await pipeline.start();
    await pipeline.pauseStage('B');
    await pipeline.feed(named(1, 2, 3));
    expect(await clock.finish(pipeline.shutdown('drain'))).toMatchObject({ mode: 'drain', finished: 3, leftQueued: 0, timedOut: false });
    expect(pipeline.state).toBe('stopped');
  });

  it('starts a pipeline that does not run, for its items’ sake', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await pipeline.feed(named(1, 2));
    expect(await clock.finish(pipeline.shutdown('drain'))).toMatchObject({ finished: 2, leftQueued: 0 });
  });

  it('is overtaken by a graceful one, and that by force', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1, 2, 3, 4));
    const first = pipeline.shutdown('drain');
    gate.open('1');
    await clock.settle();
    expect(gate.inside).toEqual(['2', '3']);
    const second = pipeline.shutdown('graceful');
    await clock.settle();
    gate.open('2');
    await clock.settle();
    expect(gate.inside).toEqual(['3']);
    const third = pipeline.shutdown('force');
    const report = { mode: 'force', finished: 2, aborted: 1, leftQueued: 2, timedOut: false };
    for (const ending of [first, second, third]) expect(await ending).toMatchObject(report);
    await clock.settle();
    expect(clock.pending).toBe(0);
  });
});

describe('a forced shutdown', () => {
  it('puts running items back to where they were, and their late ends change nothing', async () => {
    const gate = createGate();
    const task = (value: unknown, { itemId }: TaskContext) => gate.task(value, { itemId, signal: nobody });
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [passOn] },
      { name: 'B', tasks: [passOn, task] },
    ]);
    await pipeline.start();
    await pipeline.feed(named(1));
    expect(await pipeline.shutdown('force')).toMatchObject({ aborted: 1, leftQueued: 1 });
    gate.open('1', 'late');
    await clock.settle();
    expect(await pipeline.runtime.item('1')).toMatchObject({ status: 'queued', stage: 'B', attempts: 0 });
    await pipeline.start();
    await clock.settle();
    gate.open('1', 'in time');
    await clock.finish(pipeline.join());
    expect(pipeline.results[0]?.value).toBe('in time');
    expect(await historyOf(pipeline, '1')).toEqual([
      ...['A:queued', 'A:in_progress', 'A:completed', 'B:queued', 'B:in_progress'],
      ...['B:queued', 'B:in_progress', 'B:completed'],
    ]);
  });

  it('does not count the attempt that it cut short, in either mode of retrying', async () => {
    for (const retry of ['per_task', 'per_stage'] as const) {
      let hang = true;
      const attempts: number[] = [];
      const task = (_value: unknown, { attempt }: TaskContext) => {
        attempts.push(attempt);
        if (attempts.length === 2 && hang) return new Promise(() => undefined);
        throw new Error('no');
      };
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], retry }]);
      await pipeline.start();
      await pipeline.feed(named(1));
      await clock.advance(1_000);
      await pipeline.shutdown('force');
      hang = false;
      await pipeline.start();
      await clock.finish(pipeline.join());
      expect(attempts).toEqual([1, 2, 2, 3]);
      expect(await pipeline.runtime.item('1')).toMatchObject({ status: 'failed', error: { attempts: 3 } });
    }
  });

  it('is safe from within a task', async () => {
    const task = (value: unknown) => {
      if (value === 'stop') void pipeline.shutdown('force');
      return value;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [task] }]);
    await pipeline.start();
    await pipeline.feed([1, 'stop', 2, 3]);
    await clock.settle();
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 1, itemsInFlight: 3 });
    expectBooksToBalance({ pipeline });
  });
});

describe('whoever waits when a shutdown comes', () => {
  it('is told, be it join, a feeder, or a run', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 2 });
    await pipeline.start();
    const running = pipeline.runtime.run(named(1), {}).catch((error: unknown) => error);
    const libraryRun = pipeline.run(named(2)).catch((error: unknown) => error);
    await clock.settle();
    const feeding = pipeline.feed(named(3, 4)).catch((error: unknown) => error);
    await clock.settle();
    await pipeline.shutdown('force');
    expect(await feeding).toMatchObject({ code: 'shutting-down', details: { accepted: 1 } });
    expect(await running).toMatchObject({ code: 'shutting-down' });
    expect(await libraryRun).toMatchObject({ code: 'shutting-down' });
    expect(pipeline.getStats()).toMatchObject({ itemsFed: 3, itemsInFlight: 3 });
  });

  it('is answered by join’s own end when everything was finished in time', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1));
    const joined = pipeline.join();
    const ending = pipeline.shutdown('graceful');
    gate.open();
    await joined;
    expect(await ending).toMatchObject({ finished: 1, leftQueued: 0 });
    const again = pipeline.join();
    await clock.finish(again);
  });

  it('hears from join that it was cut short', async () => {
    const gate = createGate();
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1, 2));
    const joined = pipeline.join().catch((error: unknown) => error);
    await pipeline.shutdown('force');
    expect(await joined).toMatchObject({ code: 'shutting-down' });
  });

  it('hears from join with a time limit that it is not done, and it goes on draining', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1));
    expect(await clock.finish(pipeline.runtime.join(5))).toMatchObject({ done: false, stats: { itemsInFlight: 1 } });
    expect(pipeline.state).toBe('draining');
    await expect(pipeline.feed(named(2))).rejects.toMatchObject({ code: 'draining', details: { accepted: 0 } });
    gate.open();
    await clock.settle();
    expect(pipeline.state).toBe('stopped');
    expect(clock.pending).toBe(0);
  });

  it('is refused with how many it had fed when join comes', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 1 });
    await pipeline.start();
    const feeding = pipeline.feed(named(1, 2, 3, 4)).catch((error: unknown) => error);
    await clock.settle();
    const joined = pipeline.join();
    expect(await feeding).toMatchObject({ code: 'draining', details: { accepted: 2 } });
    gate.open();
    await clock.settle();
    gate.open();
    await joined;
    expect(pipeline.getStats()).toMatchObject({ itemsFed: 2, itemsProcessed: 2 });
  });
});
