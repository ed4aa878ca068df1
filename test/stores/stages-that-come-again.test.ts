/** A pipeline on a store whose stages come, go and come again, with restarts between: what waits and what has failed is in the file by then. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PipelineRuntime, TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { ALWAYS, shapes } from '../engine/coming-and-going.ts';
import { seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';

const RUNS = 60;
/** So few of a queue are in memory that most of it goes through the store. */
const QUEUE_WINDOW = 2;

const step = fc.record({
  shape: shapes('work'),
  after: fc.integer({ min: 0, max: 60 }),
  retries: fc.boolean(),
  restart: fc.constantFrom('crash', 'stop', null, null),
  /** Nothing begins between the restart and the new definition, so that this finds all where the end before has left it. */
  isPaused: fc.boolean(),
});

it('sends each item once through every stage that is always there', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(shapes('work'), fc.array(step, { minLength: 2, maxLength: 6 }), fc.integer({ min: 1, max: 12 }), fc.integer(), play),
    { numRuns: RUNS },
  );
});

async function play(first: Shape, later: readonly Step[], count: number, seed: number): Promise<void> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const work = (value: unknown, { params, signal }: TaskContext): Promise<unknown> => {
    const { step: name, ms, fails } = params as { step: string; ms: number; fails: number };
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(() => {
        if (random() < fails) reject(new RangeError('not this time'));
        else resolve([...(value as string[]), name]);
      }, ms);
      signal.addEventListener('abort', () => {
        clock.clearTimer(timer);
        reject(signal.reason);
      });
    });
  };
  const ports = { ...systemPorts, clock, random };
  const lives = livesOf({ work }, { queueWindow: QUEUE_WINDOW, ports }, (waited) => clock.finish(waited));
  let life = await lives.begin({});
  const p = (): PipelineRuntime => life.host.get('p');
  await clock.finish(life.host.create({ id: 'p', stages: first }));
  const ids = Array.from({ length: count }, (_, i) => `i${i}`);
  await clock.finish(
    p().feed(
      ids.map((id) => ({ id, value: [] })),
      {},
    ),
  );
  for (const { shape, after, retries, restart, isPaused } of later) {
    await clock.advance(after);
    if (retries) await clock.finish(p().retryFailed({}));
    if (isPaused) await clock.finish(p().pause());
    if (restart !== null) {
      await life[restart]();
      life = await lives.begin({});
    }
    await clock.finish(life.host.put('p', { stages: shape }));
    if (isPaused) await clock.finish(p().resume());
  }
  for (;;) {
    await clock.finish(p().join());
    if ((await clock.finish(p().retryFailed({}))) === 0) break;
  }
  const { rows } = await clock.finish(p().results({ after: 0, limit: 1000, status: 'all' }));
  expect(rows.map(({ id }) => id)).toEqual(ids);
  // What a value has is what was kept: a crash may have had more executions.
  for (const { value } of rows) expect((value as string[]).filter((name) => ALWAYS.includes(name)).sort()).toEqual(ALWAYS);
  await life.stop();
}

type Drawn<A> = A extends fc.Arbitrary<infer S> ? S : never;
type Shape = Drawn<ReturnType<typeof shapes>>;
type Step = Drawn<typeof step>;
