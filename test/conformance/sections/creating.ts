import { expect } from 'vitest';
import { SluiceError } from '../../../src/engine/index.ts';
import type { Suite } from '../world.ts';

const stage = { name: 'A', tasks: ['pass'] };

export function creating({ test, world }: Suite): void {
  test('fills in the defaults, and starts', async () => {
    const { host } = await world();
    const created = await host.create({ id: 'p', stages: [stage, { name: 'B', tasks: ['pass'], workers: 3 }] });
    expect(created).toMatchObject({
      state: 'running',
      itemsProcessed: 0,
      itemsFailed: 0,
      itemsCancelled: 0,
      itemsInFlight: 0,
      workers: { A: ['A-W0'], B: ['B-W0', 'B-W1', 'B-W2'] },
      pausedStages: [],
      pausedReasons: {},
    });
    expect(created.definition).toMatchObject({ id: 'p', collectResults: true });
    expect(created.definition.stages[0]).toMatchObject({
      workers: 1,
      retry: 'per_task',
      taskAttempts: 3,
      taskWaitSeconds: 1,
      backoff: 'fixed',
      maxWaitSeconds: 300,
      jitter: 0,
      stageAttempts: 3,
      unpackArgs: false,
      taskConcurrencyLimits: {},
      taskRateLimits: {},
      pull: false,
    });
    expect(host.get('p').definition).toEqual(created.definition);
    expect(await host.get('p').describe()).toEqual(created);
  });

  test('leaves it unstarted when asked to', async () => {
    const { host } = await world();
    expect((await host.create({ id: 'p', stages: [stage] }, { start: false })).state).toBe('created');
    await host.get('p').start();
    expect((await host.get('p').describe()).state).toBe('running');
    await expect(host.get('p').start()).rejects.toMatchObject({ code: 'already-running' });
  });

  test('names every fault at once', async () => {
    const { host } = await world();
    const broken = {
      id: 'not a name',
      surprise: 1,
      stages: [
        { name: 'A', workers: 0, tasks: ['nobody'], pull: true, onFailure: 'pass' },
        { name: 'A', tasks: ['pass'], retry: 'always', taskConcurrencyLimits: { other: 1 }, skipIf: 'nothing' },
      ],
    };
    const error: unknown = await host.create(broken).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SluiceError);
    expect(error).toMatchObject({ code: 'invalid-input' });
    expect((error as SluiceError).errors?.map(({ path }) => path).sort()).toEqual([
      '/id',
      '/stages/0/onFailure',
      '/stages/0/pull',
      '/stages/0/tasks/0',
      '/stages/0/workers',
      '/stages/1/name',
      '/stages/1/retry',
      '/stages/1/skipIf',
      '/stages/1/taskConcurrencyLimits/other',
      '/surprise',
    ]);
    expect(await host.list()).toEqual([]);
  });

  const wrong: [code: string, what: string, definition: object][] = [
    ['invalid-input', 'no stages', { id: 'p', stages: [] }],
    ['invalid-input', 'no tasks', { id: 'p', stages: [{ name: 'A', tasks: [] }] }],
    ['invalid-input', 'a limit of 0', { id: 'p', stages: [{ ...stage, taskConcurrencyLimits: { pass: 0 } }] }],
    ['unknown-task', 'a task that is not registered', { id: 'p', stages: [{ name: 'A', tasks: ['nobody'] }] }],
    ['unknown-task', 'a hook that is not registered', { id: 'p', stages: [{ ...stage, onSuccess: 'nobody' }] }],
    ['invalid-pipeline', 'two stages of one name', { id: 'p', stages: [stage, stage] }],
    ['invalid-pipeline', 'a first stage that pulls', { id: 'p', stages: [{ ...stage, pull: true }] }],
    ['invalid-pipeline', 'a limit for a task of another stage', { id: 'p', stages: [{ ...stage, taskConcurrencyLimits: { double: 1 } }] }],
  ];
  for (const [code, what, definition] of wrong) {
    test(`refuses ${what} as ${code}`, async () => {
      const { host } = await world();
      await expect(host.create(definition)).rejects.toMatchObject({ code, errors: [{ path: expect.any(String) }] });
      expect(() => host.get('p')).toThrow(expect.objectContaining({ code: 'pipeline-not-found' }));
    });
  }

  test('refuses an id that exists, and leaves the one that has it alone', async () => {
    const { host } = await world();
    await host.create({ id: 'p', stages: [stage] });
    await host.get('p').run(['x'], {});
    await expect(host.create({ id: 'p', stages: [{ name: 'Z', tasks: ['pass'] }] })).rejects.toMatchObject({ code: 'pipeline-exists' });
    expect(await host.get('p').describe()).toMatchObject({ state: 'running', itemsProcessed: 1, workers: { A: ['A-W0'] } });
  });

  test('is refused once the host shuts down', async () => {
    const { host } = await world();
    await host.shutdown('graceful', 10);
    expect(host.shuttingDown).toBe(true);
    const refused = { code: 'shutting-down', retryAfterSeconds: expect.any(Number) };
    await expect(host.create({ id: 'p', stages: [stage] })).rejects.toMatchObject(refused);
  });

  test('shows in the list, each pipeline apart from the others', async () => {
    const { host } = await world();
    for (const id of ['one', 'two']) await host.create({ id, stages: [stage] });
    await host.get('one').run([1, 2], {});
    expect((await host.list()).map(({ definition, itemsProcessed }) => [definition.id, itemsProcessed])).toEqual([
      ['one', 2],
      ['two', 0],
    ]);
    expect(host.get('one').events.lines.current).not.toBe('');
  });

  test('can name what the catalogue lists', async () => {
    const { host } = await world({ predicates: { isEven: () => true }, hooks: { tell: () => undefined } });
    const kinds = Object.fromEntries(host.tasks.list().map(({ name, kind }) => [name, kind]));
    expect(kinds).toMatchObject({ pass: 'task', isEven: 'predicate', tell: 'hook' });
    await expect(host.create({ id: 'p', stages: [{ ...stage, skipIf: 'isEven', onSkip: 'tell' }] })).resolves.toBeDefined();
  });
}
