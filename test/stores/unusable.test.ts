/** A stored pipeline whose definition can no longer be used: it stands still with its reason, keeps its items, and holds up nobody. */
import { describe, expect, it } from 'vitest';
import type { LocalHost } from '../../src/engine/index.ts';
import { ended, named, reaches } from '../conformance/world.ts';
import { type Life, livesOf, registryOf } from './durable-host.ts';

const TASKS = { work: (value: unknown) => value, other: (value: unknown) => value };
const GONE = { registry: registryOf({ other: TASKS.other }) };
const REASON = '/stages/0/tasks/0 no task "work" is registered';
const definition = (id: string, task: string, more: object = {}) => ({ id, stages: [{ name: 'A', workers: 2, tasks: [task], ...more }] });

/** One pipeline whose task will be gone, with two finished and three waiting items, and one beside it. */
async function twoPipelines({ host }: Life): Promise<void> {
  await host.create(definition('p', 'work'));
  await host.create(definition('q', 'other'));
  await host.get('p').run(named('a', 'b'), {});
  await host.get('p').pauseStage('A');
  await host.get('p').feed(named('c', 'd', 'e'), {});
  await host.get('p').resumeStage('A');
  await ended(host.get('p'), 5);
  await host.get('p').pauseStage('A');
  await host.get('p').feed(named('f', 'g', 'h'), {});
}

const stateOf = async (host: LocalHost, id: string) => {
  const { state, stateReason, pausedStages, itemsInFlight } = await host.get(id).describe();
  return { state, stateReason, pausedStages, itemsInFlight };
};

describe('a stored pipeline whose task is gone', () => {
  it('is stopped and says why; its items are kept, and the others run', async () => {
    const lives = livesOf(TASKS);
    const first = await lives.begin();
    await twoPipelines(first);
    await first.stop();

    const { host, stop } = await lives.begin(GONE);
    expect(await stateOf(host, 'p')).toEqual({ state: 'stopped', stateReason: REASON, pausedStages: ['A'], itemsInFlight: 3 });
    expect(await stateOf(host, 'q')).toMatchObject({ state: 'running', stateReason: null });
    expect(host.storeHealth.unusable).toEqual([{ pipelineId: 'p', reason: REASON }]);
    await host.get('q').run(named('x'), {});
    await ended(host.get('q'), 1);
    // What it has can be read, and more can be fed.
    expect((await host.get('p').results({ status: 'completed', after: 0, limit: 10 })).rows).toHaveLength(5);
    await host.get('p').feed(named('i'), {});
    expect(await host.get('p').item('i')).toMatchObject({ status: 'queued' });
    await stop();

    const last = await lives.begin();
    expect(await stateOf(last.host, 'p')).toEqual({ state: 'running', stateReason: null, pausedStages: ['A'], itemsInFlight: 4 });
    await last.host.get('p').resumeStage('A');
    await ended(last.host.get('p'), 9);
    expect(await last.host.get('p').stats()).toMatchObject({ itemsProcessed: 9, itemsFailed: 0 });
  });

  it.each([
    ['start', (host: LocalHost) => host.get('p').start()],
    ['join', (host: LocalHost) => host.get('p').join()],
    ['run', (host: LocalHost) => host.get('p').run(named('x'), {})],
  ])('refuses to %s, and says what is wrong', async (_what, attempt) => {
    const lives = livesOf(TASKS);
    const first = await lives.begin();
    await twoPipelines(first);
    await first.stop();
    const { host } = await lives.begin(GONE);
    await expect(attempt(host)).rejects.toMatchObject({
      code: 'invalid-state',
      message: expect.stringContaining(REASON),
      errors: [{ path: '/stages/0/tasks/0', message: 'no task "work" is registered' }],
    });
    expect(await stateOf(host, 'p')).toMatchObject({ state: 'stopped', itemsInFlight: 3 });
  });

  it('goes on as it was when it is given a definition that can be used', async () => {
    const lives = livesOf(TASKS);
    const first = await lives.begin();
    await twoPipelines(first);
    await first.host.get('p').resumeStage('A');
    await first.host.get('p').pause();
    await first.host.get('p').feed(named('k'), {});
    await first.host.get('p').resume();
    await first.crash();

    const { host } = await lives.begin(GONE);
    const before = await stateOf(host, 'p');
    expect(before).toMatchObject({ state: 'stopped', stateReason: REASON });
    // Another one that cannot be used changes nothing.
    await expect(host.put('p', definition('p', 'nowhere'))).rejects.toMatchObject({ code: 'unknown-task' });
    expect(await stateOf(host, 'p')).toEqual(before);
    const { pipeline } = await host.put('p', definition('p', 'other'));
    expect(pipeline).toMatchObject({ state: 'running', stateReason: null });
    expect(host.storeHealth.unusable).toEqual([]);
    await ended(host.get('p'), 9);
  });

  it.each(['paused', 'stopped'] as const)('that was %s is so again when its task is back', async (state) => {
    const lives = livesOf(TASKS);
    const first = await lives.begin();
    await twoPipelines(first);
    if (state === 'paused') await first.host.get('p').pause();
    else await first.host.get('p').shutdown('graceful');
    await first.stop();
    for (let start = 0; start < 2; start++) {
      const between = await lives.begin(GONE);
      expect(await stateOf(between.host, 'p')).toMatchObject({ state: 'stopped', stateReason: REASON });
      await between[start === 0 ? 'stop' : 'crash']();
    }
    const { host } = await lives.begin();
    expect(await stateOf(host, 'p')).toMatchObject({ state, stateReason: null });
  });

  it('keeps what operators asked of it meanwhile: a shutdown, a pause of a stage, a tuning', async () => {
    const lives = livesOf(TASKS);
    const first = await lives.begin();
    await twoPipelines(first);
    await first.stop();
    const between = await lives.begin(GONE);
    await between.host.get('p').resumeStage('A');
    await between.host.get('p').tune('A', { workers: 5 });
    await between.host.get('p').shutdown('graceful');
    await between.crash();
    const { host } = await lives.begin();
    const { state, pausedStages, overrides, workers } = await host.get('p').describe();
    expect([state, pausedStages, overrides, workers.A?.length]).toEqual(['stopped', [], { A: { workers: 5 } }, 5]);
    await host.get('p').start();
    await ended(host.get('p'), 8);
  });

  it('is deleted with its items', async () => {
    const lives = livesOf(TASKS);
    const first = await lives.begin();
    await twoPipelines(first);
    await first.stop();
    const between = await lives.begin(GONE);
    await expect(between.host.remove('p')).rejects.toMatchObject({ code: 'items-in-flight' });
    await between.host.remove('p', 'force');
    await between.stop();
    const { host } = await lives.begin();
    expect((await host.list()).map(({ definition: { id } }) => id)).toEqual(['q']);
  });

  it('holds up nobody whose items ran in the same crash, and loses none of its own', async () => {
    let isHeld = true;
    const held = (value: unknown): unknown => (isHeld ? new Promise(() => undefined) : value);
    const lives = livesOf({ work: held, other: held });
    const first = await lives.begin();
    for (const [id, task] of [
      ['p', 'work'],
      ['q', 'other'],
    ] as const) {
      await first.host.create(definition(id, task));
      await first.host.get(id).feed(named('a', 'b', 'c'), {});
      await reaches(first.host.get(id), 'b', 'in_progress');
    }
    await first.crash();
    isHeld = false;
    const between = await lives.begin({ registry: registryOf({ other: held }), maxDeliveries: 1 });
    expect(await stateOf(between.host, 'p')).toMatchObject({ state: 'stopped', itemsInFlight: 3 });
    await ended(between.host.get('q'), 3);
    expect(await between.host.get('q').stats()).toMatchObject({ itemsProcessed: 3, itemsFailed: 0 });
    await between.stop();
    const { host } = await lives.begin({ maxDeliveries: 1 });
    await ended(host.get('p'), 3);
    expect(await host.get('p').stats()).toMatchObject({ itemsProcessed: 3, itemsFailed: 0 });
  });
});

describe('a stored pipeline is stopped, too, when', () => {
  it.each([
    ['its limiter is gone', { tasks: [{ task: 'work', limiter: 'models' }] }, {}, 'no limiter "models" is defined'],
    ['fewer workers are allowed', { workers: 20 }, { maxWorkersPerStage: 10 }, 'is more than 10'],
    ['its hook is gone', { onSuccess: 'told' }, {}, 'no hook "told" is registered'],
  ])('%s', async (_why, more, options, reason) => {
    const lives = livesOf(TASKS);
    const first = await lives.begin({ registry: registryOf(TASKS, { told: () => undefined }) });
    first.host.limiters.define('models', { concurrency: 1 });
    await first.host.create(definition('p', 'work', more));
    await first.host.get('p').pauseStage('A');
    await first.host.get('p').feed(named('a'), {});
    await first.stop();
    const { host } = await lives.begin(options);
    const { state, stateReason } = await host.get('p').describe();
    expect([state, stateReason]).toEqual(['stopped', expect.stringContaining(reason)]);
    expect(await host.get('p').item('a')).toMatchObject({ status: 'queued' });
  });
});
