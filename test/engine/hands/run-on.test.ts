/** Where a call of a task goes: to a hand, into a thread, or nowhere else. */
import { describe, expect, it } from 'vitest';
import { Pipeline, type SluiceError, StageValidationError, type TaskContext } from '../../../src/engine/index.ts';
import type { ThreadJob, ThreadRunner } from '../../../src/engine/ports.ts';
import type { HeldCall } from './held-hands.ts';
import { declared, handWorld, turns } from './world.ts';

const faultsOf = (made: Promise<unknown>): Promise<{ code?: string; errors?: unknown }> =>
  made.then(
    () => ({}),
    ({ code, errors }: SluiceError) => ({ code, errors }),
  );

function threadsOf(jobs: ThreadJob[]): ThreadRunner {
  return {
    size: 2,
    run: async (job) => {
      job.onBegin();
      jobs.push(job);
      return 'from a thread';
    },
    close: async () => true,
  };
}

describe('a stage without runOn', () => {
  it('has users’ tasks called by hands while any are there, which is asked at each call', async () => {
    const { pipeline, hands, here } = await world({ tasks: ['work'] });
    hands.isThere = false;
    await pipeline.run([{ id: 'a', value: 1 }], {});
    expect(here).toEqual(['work']);
    hands.isThere = true;
    const running = pipeline.run([{ id: 'b', value: 2 }], {});
    await turns();
    expect(hands.last('work').job.args).toEqual([2]);
    hands.last('work').end('from a hand');
    expect((await running).results).toMatchObject([{ id: 'b', value: 'from a hand' }]);
    hands.isThere = false;
    await pipeline.run([{ id: 'c', value: 3 }], {});
    expect(here).toEqual(['work', 'work']);
    expect(hands.calls).toHaveLength(1);
  });

  it('is called here after all where the hands give a call back, with its time limit from then on', async () => {
    const contexts: TaskContext[] = [];
    const slow = (here: string[]) => [
      declared('task', 'slow', here, {
        run: (value, context) => {
          contexts.push(context as TaskContext);
          return value === 'late' ? new Promise(() => undefined) : 'here';
        },
      }),
    ];
    const stage = { tasks: [{ task: 'slow', with: { of: '{{ value }}' } }], taskTimeoutSeconds: 1 };
    const { pipeline, hands, clock } = await world(stage, slow);
    const running = pipeline.run(
      ['soon', 'late'].map((id) => ({ id, value: id })),
      {},
    );
    await turns();
    clock.advance(30_000);
    await turns();
    const [soon] = hands.calls as [HeldCall];
    soon.end(soon.job.orHere?.());
    await turns();
    expect(contexts).toMatchObject([{ itemId: 'soon', params: { of: 'soon' }, attempt: 1 }]);
    const late = hands.last('slow');
    expect(await pipeline.item('late')).toMatchObject({ waitingFor: { reason: 'hand' } });
    late.end(late.job.orHere?.());
    await turns();
    expect(await pipeline.item('late')).toMatchObject({ status: 'in_progress', waitingFor: null });
    clock.advance(1000);
    expect((await running).results).toMatchObject([
      { id: 'soon', value: 'here' },
      { id: 'late', error: { type: 'TaskTimeoutError' } },
    ]);
  });

  it('has predicates and hooks called here as well where the hands give them back', async () => {
    const { pipeline, hands, here } = await world({ tasks: ['builtIn'], skipIf: 'skips', onSkip: 'tell' });
    const running = pipeline.run([1], {});
    await turns();
    const skips = hands.last('skips');
    skips.end(skips.job.orHere?.());
    await turns();
    const tell = hands.last('tell');
    tell.end(tell.job.orHere?.());
    await running;
    expect(here).toEqual(['skips', 'tell']);
  });

  it('has all else called here', async () => {
    const { pipeline, hands, here } = await world({ tasks: ['builtIn'], onSuccess: 'builtInHook' });
    await pipeline.run([1], {});
    expect(here).toEqual(['builtIn', 'builtInHook']);
    expect(hands.calls).toEqual([]);
  });

  it('has a task that asks for a thread called by hands, and in a thread while there are none', async () => {
    const jobs: ThreadJob[] = [];
    const more = (here: string[]) => [declared('task', 'heavy', here, { thread: true, module: 'file:///heavy.mjs' })];
    const { pipeline, hands, here } = await world({ tasks: ['heavy'] }, more, { threads: threadsOf(jobs) });
    const running = pipeline.run([1], {});
    await turns();
    hands.last('heavy').end('from a hand');
    expect((await running).results).toMatchObject([{ value: 'from a hand' }]);
    hands.isThere = false;
    expect((await pipeline.run([2], {})).results).toMatchObject([{ value: 'from a thread' }]);
    expect([here, jobs.length]).toEqual([[], 1]);
  });
});

describe('a stage with runOn', () => {
  it('here has nothing called by hands', async () => {
    const { pipeline, hands, here } = await world({ runOn: 'here', tasks: ['work'], skipIf: 'skips', onSuccess: 'tell', onSkip: 'tell' });
    await pipeline.run([0], {});
    expect(here).toEqual(['skips', 'work', 'tell']);
    expect(hands.calls).toEqual([]);
  });

  it('hands has every task wait for one, built in or not, however long none is there', async () => {
    const { pipeline, hands, here, clock } = await world({ runOn: 'hands', tasks: ['builtIn', 'work'], taskTimeoutSeconds: 1 });
    hands.isThere = false;
    const running = pipeline.run([{ id: 'x', value: 1 }], {});
    await turns();
    clock.advance(3_600_000);
    await turns();
    expect(await pipeline.item('x')).toMatchObject({ status: 'in_progress', waitingFor: { reason: 'hand', task: 'builtIn' } });
    expect(hands.last('builtIn').job).not.toHaveProperty('orHere');
    hands.last('builtIn').job.onBegin();
    expect(await pipeline.item('x')).toMatchObject({ waitingFor: null });
    hands.last('builtIn').end(2);
    await turns();
    hands.last('work').end(3);
    expect((await running).results).toMatchObject([{ value: 3 }]);
    expect(here).toEqual([]);
  });

  it('hands has the hooks and predicates of users called there, and those that are built in here', async () => {
    const { pipeline, hands, here } = await world({ runOn: 'hands', skipIf: 'skips', onSkip: 'builtInHook' });
    hands.isThere = false;
    const running = pipeline.run([1], {});
    await turns();
    hands.last('skips').end(true);
    expect((await running).results).toMatchObject([{ value: 1 }]);
    expect([here, hands.calls.length]).toEqual([['builtInHook'], 1]);
  });

  it('thread has each task of a module run in a thread', async () => {
    const jobs: ThreadJob[] = [];
    const more = (here: string[]) => [declared('task', 'light', here, { module: 'file:///light.mjs' })];
    const { pipeline, hands, here } = await world({ runOn: 'thread', tasks: ['light'] }, more, { threads: threadsOf(jobs) });
    expect((await pipeline.run([1], {})).results).toMatchObject([{ value: 'from a thread' }]);
    expect([here, hands.calls, jobs.map(({ module }) => module)]).toEqual([[], [], ['file:///light.mjs']]);
  });

  it('is refused where it cannot be: without a way for hands to come, without threads, without a module, with a word that is none', async () => {
    const stages = (runOn: string, tasks = ['work']) => ({ id: 'p', stages: [{ name: 'A', tasks, runOn }] });
    const without = handWorld(() => [], { hands: undefined }).host;
    expect(await faultsOf(without.create(stages('hands')))).toEqual({
      code: 'invalid-pipeline',
      errors: [{ path: '/stages/0/runOn', message: 'is "hands", but no hands can connect to this engine' }],
    });
    expect(await faultsOf(without.create(stages('thread')))).toEqual({
      code: 'invalid-pipeline',
      errors: [{ path: '/stages/0/runOn', message: 'is "thread", but this engine has no threads' }],
    });
    const { host } = handWorld((here) => [declared('task', 'light', here, { module: 'file:///light.mjs' })], { threads: threadsOf([]) });
    const message = 'has no module of its own that a thread could load, but the stage has runOn "thread"';
    expect(await faultsOf(host.create(stages('thread', ['light', 'builtIn', 'work'])))).toEqual({
      code: 'invalid-pipeline',
      errors: [
        { path: '/stages/0/tasks/1', message: `"builtIn" ${message}` },
        { path: '/stages/0/tasks/2', message: `"work" ${message}` },
      ],
    });
    expect(await faultsOf(host.create(stages('anywhere')))).toMatchObject({ code: 'invalid-input', errors: [{ path: '/stages/0/runOn' }] });
    for (const runOn of ['hands', 'thread'] as const) {
      expect(() => new Pipeline({ stages: [{ name: 'A', tasks: [() => 1], runOn }] })).toThrow(StageValidationError);
    }
    await expect(new Pipeline({ stages: [{ name: 'A', tasks: [() => 1], runOn: 'here' }] }).run([0])).resolves.toMatchObject([
      { value: 1 },
    ]);
  });

  it('can be changed while items run, which go on where they are', async () => {
    const { host, pipeline, hands, here } = await world({ runOn: 'hands', tasks: ['work'] });
    const running = pipeline.run(
      ['a', 'b'].map((id) => ({ id, value: 1 })),
      {},
    );
    await turns();
    await host.put('p', { stages: [{ name: 'A', tasks: ['work'], runOn: 'here' }] });
    hands.last('work').end(2);
    expect((await running).results).toMatchObject([{ value: 2 }, { value: 1 }]);
    expect([here, hands.calls.length]).toEqual([['work'], 1]);
  });
});

async function world(
  stage: Parameters<ReturnType<typeof handWorld>['pipeline']>[0],
  more?: Parameters<typeof handWorld>[0],
  ports?: Parameters<typeof handWorld>[1],
) {
  const made = handWorld(more, ports);
  return { ...made, pipeline: await made.pipeline(stage) };
}
