import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StageOptions, TaskContext } from '../../src/engine/index.ts';
import { createGate, eventsOf, expectBooksToBalance, type Virtual, virtualPipeline } from './harness.ts';
import { seededRandom } from './virtual-clock.ts';

const named = (count: number, from = 0) => Array.from({ length: count }, (_, i) => ({ id: `i${from + i}`, value: from + i }));

/** Three stages that fail, wait, skip and go slow by chance. */
function chancyStages(clock: () => Virtual['clock'], random: () => number): StageOptions[] {
  const chancy = (value: unknown) => {
    const dice = random();
    if (dice < 0.2) throw new Error('by chance');
    if (dice < 0.5) return value;
    return new Promise((resolve) => clock().setTimer(() => resolve(value), 400 * dice));
  };
  const falsy = (value: unknown) => [null, undefined, 0, '', false, value][Math.floor(random() * 6)];
  return [
    { name: 'A', workers: 4, tasks: [chancy, chancy], taskAttempts: 3, taskWaitSeconds: 0.3, jitter: 0.5 },
    { name: 'B', workers: 2, tasks: [chancy, falsy], retry: 'per_stage', stageAttempts: 4, queueCapacity: 2, skipIf: () => random() < 0.1 },
    { name: 'C', workers: 3, tasks: [chancy], taskTimeoutSeconds: 0.25, pull: true, taskWaitSeconds: 0.1, backoff: 'exponential' },
  ];
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('feed' as const), count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 700 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const, 'restart' as const, 'abort' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stage' as const), stage: fc.constantFrom('A', 'B', 'C'), pause: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('tune' as const),
      stage: fc.constantFrom('A', 'B', 'C'),
      workers: fc.integer({ min: 1, max: 6 }),
      queueCapacity: fc.integer({ min: 1, max: 5 }),
    }),
  },
);

describe('invariant 1: nothing accepted is lost', () => {
  it('invariant 1: every item ends once, through retries, resizing, pauses, shutdowns and restarts; invariant 9: the counters agree throughout', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer(), async (steps, seed) => {
        let clock: Virtual['clock'];
        const made = virtualPipeline(
          chancyStages(() => clock, seededRandom(seed)),
          { backlogCapacity: 30 },
        );
        clock = made.clock;
        const { pipeline } = made;
        const { runtime } = pipeline;
        await pipeline.start();
        let fed = 0;
        for (const action of steps) {
          if (action.do === 'feed') {
            const accepted = await runtime.feed(named(action.count, fed), {}).then(
              (receipt) => receipt.accepted,
              () => 0,
            );
            fed += accepted;
          } else if (action.do === 'advance') await clock.advance(action.ms);
          else if (action.do === 'cancel') await runtime.cancelItem(`i${action.which % Math.max(1, fed)}`).catch(() => undefined);
          else if (action.do === 'retry') await runtime.retryFailed({});
          else if (action.do === 'pause' || action.do === 'resume') await pipeline[action.do]().catch(() => undefined);
          else if (action.do === 'stage') await (action.pause ? pipeline.pauseStage(action.stage) : pipeline.resumeStage(action.stage));
          else if (action.do === 'tune')
            await pipeline.tune(action.stage, { workers: action.workers, queueCapacity: action.queueCapacity });
          else {
            await clock.finish(pipeline.shutdown(action.do === 'abort' ? 'force' : 'graceful'));
            expectBooksToBalance({ pipeline });
            await pipeline.start();
          }
          expectBooksToBalance({ pipeline });
        }
        await clock.finish(pipeline.join());
        expectBooksToBalance({ pipeline });
        expect(pipeline.getStats()).toMatchObject({ itemsFed: fed, itemsInFlight: 0 });
        const { rows } = await runtime.items({ after: 0, limit: 100_000 });
        expect(rows.map(({ id }) => id)).toEqual(named(fed).map(({ id }) => id));
        for (const { status } of rows) expect(['completed', 'failed', 'cancelled']).toContain(status);
        await clock.settle();
        // Handlers that ignored their signal may still hold a timer of their own; the engine holds none.
        await clock.advance(1_000);
        expect(clock.pending).toBe(0);
        expect(pipeline.getStats().handlersIgnoringSignal).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('invariant 1: null, undefined, 0, "" and false are ordinary values', async () => {
    const values = [null, undefined, 0, '', false];
    for (const retry of ['per_task', 'per_stage'] as const) {
      const { pipeline, clock } = virtualPipeline([
        { name: 'A', tasks: [(value: unknown) => value, async (value: unknown) => value], retry },
        { name: 'B', tasks: [(value: unknown) => value], retry },
      ]);
      const results = await clock.finish(pipeline.run(values));
      expect(results.map(({ value }) => value)).toEqual(values);
    }
  });
});

// Invariant 2, delivery after a crash, is the stores': with memory nothing survives one. What is here is its half within a process.
describe('invariant 2: delivery is at least once', () => {
  it('invariant 2: an item that was cut short goes on from the stage it was in, with the value that it had there', async () => {
    const gate = createGate();
    const runs: string[] = [];
    const trace = (stage: string) => (value: unknown) => {
      runs.push(stage);
      return `${value}${stage}`;
    };
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [trace('a')] },
      { name: 'B', tasks: [trace('b'), gate.task] },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'x', value: '-' }]);
    await clock.settle();
    await pipeline.shutdown('force');
    await pipeline.start();
    await clock.settle();
    gate.open();
    await clock.finish(pipeline.join());
    expect(pipeline.results[0]?.value).toBe('-ab');
    expect(runs).toEqual(['a', 'b']);
  });
});

describe('invariant 8: join returns when and only when nothing is in flight anywhere', () => {
  const places: [
    name: string,
    stage: Partial<StageOptions>,
    release: (gate: ReturnType<typeof createGate>, made: Virtual) => Promise<void>,
  ][] = [
    ['in a worker', {}, async (gate) => gate.open()],
    [
      'in a retry wait',
      {
        tasks: [
          (_v: unknown, { attempt }: TaskContext) => {
            if (attempt === 1) throw new Error('once');
          },
        ],
        taskWaitSeconds: 100,
      },
      (_gate, { clock }) => clock.advance(100_000),
    ],
    ['in a hook', { tasks: [() => 1], onSuccess: () => new Promise(() => undefined) }, (_gate, { clock }) => clock.advance(30_000)],
  ];
  for (const [name, stage, release] of places) {
    it(`invariant 8: not while an item is ${name}`, async () => {
      const gate = createGate();
      const made = virtualPipeline([{ name: 'A', tasks: [gate.task], ...stage }]);
      const { pipeline, clock } = made;
      await pipeline.start();
      await pipeline.feed([1]);
      let joined = false;
      const joining = pipeline.join().then(() => {
        joined = true;
      });
      await clock.settle();
      expect(joined).toBe(false);
      await release(gate, made);
      await joining;
      expect(pipeline.getStats().itemsInFlight).toBe(0);
    });
  }

  it('invariant 8: not while one is queued or held before a full stage', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [(value: unknown) => value] },
      { name: 'B', tasks: [gate.task], queueCapacity: 1 },
    ]);
    await pipeline.start();
    await pipeline.feed([1, 2, 3, 4]);
    let left = -1;
    const joining = pipeline.join().then(() => {
      left = pipeline.getStats().itemsInFlight;
    });
    for (let i = 0; i < 4; i++) {
      await clock.settle();
      expect(left).toBe(-1);
      gate.open();
    }
    await joining;
    expect(left).toBe(0);
  });

  it('invariant 8: when the last one is cancelled or fails, too', async () => {
    for (const end of ['cancel', 'fail'] as const) {
      const gate = createGate();
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task], taskAttempts: 1 }]);
      await pipeline.start();
      await pipeline.feed([{ id: 'x' }]);
      const joining = pipeline.join();
      if (end === 'cancel') await pipeline.runtime.cancelItem('x');
      else gate.fail('x', new Error('no'));
      await clock.finish(joining);
      expect(pipeline.state).toBe('stopped');
    }
  });
});

describe('invariant 10: one sequence of events', () => {
  it('invariant 10: each change of state is one event with the next id, and what is shown names the id it is as of', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    const { current } = pipeline.events.lines;
    await pipeline.start();
    expect(pipeline.getStats().asOf).toBe(`${current}-1`);
    await pipeline.feed([{ id: 'x' }]);
    const { asOf, pipelineStats } = pipeline.getDashboardSnapshot();
    expect(asOf).toBe(`${current}-${pipeline.events.newest}`);
    expect(pipelineStats.asOf).toBe(asOf);
    gate.open();
    await clock.settle();
    await pipeline.pause();
    await pipeline.resume();
    await pipeline.tune('A', { workers: 2 });
    await pipeline.pauseStage('A');
    await pipeline.resumeStage('A');
    await clock.finish(pipeline.join());
    const told = eventsOf(pipeline, 'status', 'task', 'result', 'pipeline', 'feed');
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, i) => i + 1));
    expect(
      told.map(
        ({ type, data }) =>
          `${type} ${'change' in data ? data.change : 'eventType' in data ? data.eventType : 'status' in data ? data.status : ''}`,
      ),
    ).toEqual([
      ...['pipeline started', 'status queued', 'status in_progress', 'task start', 'task complete', 'status completed', 'result ', 'feed '],
      ...['pipeline paused', 'pipeline resumed', 'pipeline tuned', 'pipeline stage-paused', 'pipeline stage-resumed'],
      ...['pipeline draining', 'pipeline stopped'],
    ]);
  });
});
