import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLocalHost, createTaskRegistry, type TaskContext, type TaskDeclaration } from '../../src/engine/index.ts';
import { noSecrets } from '../../src/engine/ports.ts';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import { ALWAYS, shapes } from './coming-and-going.ts';
import { countedIds, seededRandom, VirtualClock } from './virtual-clock.ts';

const NAMES = ['A', 'B', 'C', 'D', 'E'];
const EVERYTHING = { after: 0, limit: 10_000 };

/** A service of one task, `work`: it takes as long as its params say, and notes who went through where. */
function service(seed: number) {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  /** `itemId params` of each execution that succeeded. */
  const done: string[] = [];
  const work: TaskDeclaration = {
    kind: 'task',
    name: 'work',
    description: '',
    paramsSchema: null,
    parseParams: (given) => given,
    run: (value: unknown, ctx: TaskContext<{ step: string; ms: number; fails?: number }>) =>
      new Promise((resolve, reject) => {
        const { ms, fails = 0 } = ctx.params;
        const { signal } = ctx;
        const timer = clock.setTimer(() => {
          if (signal.aborted) return;
          if (random() < fails) {
            reject(new RangeError('not this time'));
            return;
          }
          done.push(`${ctx.itemId} ${JSON.stringify(ctx.params)}`);
          resolve(value);
        }, ms);
        signal.addEventListener('abort', () => clock.clearTimer(timer));
      }),
  };
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const host = createLocalHost({
    registry: createTaskRegistry([work]),
    ports: { clock, random, uniqueId: countedIds(), logger, threads: undefined, expressions: undefined, secrets: noSecrets },
    maxStages: 64,
    maxWorkersPerStage: 100,
    retentionMaxItems: 10_000,
    retentionMaxAgeSeconds: 3600,
    backlogCapacity: 10_000,
    eventsKept: 100_000,
    hookTimeoutSeconds: 30,
  });
  return { host, clock, done };
}

const stage = (name: string) =>
  fc.record({
    workers: fc.integer({ min: 1, max: 3 }),
    queueCapacity: fc.integer({ min: 1, max: 3 }),
    tasks: fc
      .subarray(['one', 'two', 'three'], { minLength: 1 })
      .chain((steps) => fc.tuple(...steps.map((step) => use(`${name}.${step}`)))),
    pull: fc.boolean(),
    limit: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
  });
const use = (step: string) =>
  fc
    .record({ ms: fc.integer({ min: 0, max: 30 }), fails: fc.constantFrom(0, 0, 0.3) })
    .map((rest) => ({ task: 'work', with: { step, ...rest } }));

const definition = fc.shuffledSubarray(NAMES, { minLength: 1 }).chain((names) =>
  fc.tuple(...names.map((name) => stage(name))).map((stages) =>
    stages.map(
      ({ pull, limit, ...rest }, i): StageDefinitionInput => ({
        ...rest,
        name: names[i] as string,
        pull: pull && i > 0,
        taskAttempts: 1000,
        taskWaitSeconds: 0.02,
        ...(limit === undefined ? {} : { taskConcurrencyLimits: { work: limit } }),
      }),
    ),
  ),
);

const usesOf = ({ tasks }: StageDefinitionInput): string[] => (tasks as { with: object }[]).map((task) => JSON.stringify(task.with));
const stepsOf = (stages: StageDefinitionInput[]): string[] => stages.flatMap(usesOf);
/** Whether it is the only task of its stage; of several, one may be behind an item that others were put before. */
const isAlone = (stages: StageDefinitionInput[], step: string): boolean => stages.some((each) => usesOf(each).join() === step);

describe('a pipeline that is defined anew, again and again, with items everywhere', () => {
  it('loses none, runs no task twice, and leaves out no stage that was there all the time', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        definition,
        fc.array(fc.record({ stages: definition, after: fc.integer({ min: 0, max: 120 }) }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 25 }),
        fc.integer(),
        async (first, later, count, seed) => {
          const { host, clock, done } = service(seed);
          await host.create({ id: 'p', stages: first });
          const p = host.get('p');
          const ids = Array.from({ length: count }, (_, i) => `i${i}`);
          await p.feed(
            ids.map((id) => ({ id, value: id })),
            {},
          );
          for (const { stages, after } of later) {
            await clock.advance(after);
            await host.put('p', { stages });
            const stats = await p.stats();
            const { queued, in_progress: inProgress, retrying } = stats.statusCounts;
            expect(queued + inProgress + retrying).toBe(stats.itemsInFlight);
            expect(Object.values(stats.stageStats).reduce((sum, { pendingItems }) => sum + pendingItems, 0)).toBe(queued + retrying);
          }
          await clock.finish(p.join());
          const results = await p.results({ status: 'completed', ...EVERYTHING });
          expect(results.rows.map(({ id }) => id)).toEqual(ids);
          const all = [first, ...later.map(({ stages }) => stages)].map(stepsOf);
          for (const step of new Set(all.flat())) {
            const places = all.flatMap((steps, i) => (steps.includes(step) ? [i] : []));
            // What went and came again is another one.
            if ((places.at(-1) as number) - (places[0] as number) >= places.length) continue;
            for (const id of ids) {
              const times = done.filter((entry) => entry === `${id} ${step}`).length;
              expect(times).toBeLessThanOrEqual(1);
              if (places.length === all.length && isAlone(first, step)) expect(times).toBe(1);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('sends each item once through every stage that is always there, wherever the others come, go and come again', {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes('work'),
        fc.array(fc.record({ shape: shapes('work'), after: fc.integer({ min: 0, max: 60 }), retries: fc.boolean() }), {
          minLength: 2,
          maxLength: 8,
        }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer(),
        async (first, later, count, seed) => {
          const { host, clock, done } = service(seed);
          await host.create({ id: 'p', stages: first });
          const p = host.get('p');
          const ids = Array.from({ length: count }, (_, i) => `i${i}`);
          await p.feed(
            ids.map((id) => ({ id, value: id })),
            {},
          );
          for (const { shape: stages, after, retries } of later) {
            await clock.advance(after);
            if (retries) await p.retryFailed({});
            await clock.advance(after / 3);
            await host.put('p', { stages });
          }
          for (;;) {
            await clock.finish(p.join());
            if ((await p.retryFailed({})) === 0) break;
          }
          for (const step of ALWAYS) {
            const ran = ids.map((id) => done.filter((entry) => entry.startsWith(`${id} {"step":"${step}"`)).length);
            expect(ran, step).toEqual(ids.map(() => 1));
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
