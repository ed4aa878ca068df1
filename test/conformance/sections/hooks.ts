import { expect } from 'vitest';
import type { TaskContext } from '../../../src/engine/index.ts';
import { eventsOf, named, SOON, type Suite } from '../world.ts';

export function hooks({ test, world }: Suite): void {
  test('skipIf lets an item pass unchanged, without its tasks', async () => {
    const { pipeline, runs } = await world({ predicates: { odd: (value: unknown) => (value as number) % 2 === 1 } });
    const p = await pipeline([
      { name: 'A', tasks: ['double'], skipIf: 'odd' },
      { name: 'B', tasks: ['pass'] },
    ]);
    const { results } = await p.run(
      [
        { id: 'odd', value: 3 },
        { id: 'even', value: 4 },
      ],
      {},
    );
    expect(results.map(({ value }) => value)).toEqual([3, 8]);
    expect(runs.toSorted()).toEqual(['double:even', 'pass:even', 'pass:odd']);
    const { history } = await p.item('odd');
    expect(history.map(({ stage, status, final }) => `${stage} ${status}${final ? ' final' : ''}`)).toEqual([
      'A queued',
      'A skipped',
      'B queued',
      'B in_progress',
      'B completed final',
    ]);
    expect((await p.stats()).stageStats.A).toMatchObject({ skippedItems: 1, completedItems: 1 });
  });

  test('an item skipped in the last stage is completed', async () => {
    const { pipeline } = await world({ predicates: { always: async () => true } });
    const p = await pipeline([{ name: 'A', tasks: ['double'], skipIf: 'always' }]);
    expect((await p.run([{ id: 'x', value: 3 }], {})).results[0]).toMatchObject({ value: 3, error: null });
    expect(await p.stats()).toMatchObject({ itemsProcessed: 1, stageStats: { A: { skippedItems: 1, completedItems: 0 } } });
    expect(eventsOf(p, { types: new Set(['status']) }).filter(({ data }) => 'final' in data && data.final)).toHaveLength(1);
    expect((await p.item('x')).status).toBe('completed');
  });

  test('an asynchronous skipIf is waited for, and one that throws does not skip', async () => {
    const { pipeline, runs } = await world({
      predicates: {
        never: async () => false,
        throws: () => {
          throw new Error('what?');
        },
        rejects: () => Promise.reject(new Error('what?')),
      },
    });
    const stages = ['never', 'throws', 'rejects'].map((skipIf) => ({ name: skipIf, tasks: ['pass'], skipIf }));
    const p = await pipeline(stages);
    await p.run(named('x'), {});
    expect(runs).toEqual(['pass:x', 'pass:x', 'pass:x']);
  });

  test('hooks are told the id, the value or error, and where it happened', async () => {
    const told: unknown[] = [];
    const note =
      (hook: string) =>
      (id: string, value: unknown, info: object): void =>
        void told.push([hook, id, value instanceof Error ? value.message : value, info]);
    const { pipeline } = await world({
      predicates: { isSkip: (value) => value === 'skip' },
      hooks: { success: note('success'), failure: note('failure'), skip: note('skip') },
      tasks: {
        picky: (value: unknown, ctx: TaskContext) => {
          if (ctx.attempt === 1 || value === 'bad') throw new Error(`no ${String(value)}`);
          return `${String(value)} done`;
        },
      },
    });
    const hooked = { onSuccess: 'success', onFailure: 'failure', onSkip: 'skip', skipIf: 'isSkip' };
    const p = await pipeline([{ name: 'A', tasks: ['picky'], taskAttempts: 2, taskWaitSeconds: SOON, ...hooked }]);
    await p.run([{ id: 'x', value: 'good', tag: 1 }, ...named('bad', 'skip')], { feedId: 'f' });
    const info = { feedId: 'f', stage: 'A', metadata: {} };
    expect(told.toSorted()).toEqual([
      ['failure', 'bad', 'no bad', { ...info, sequenceId: 2, attempts: 2, value: 'bad', input: 'bad' }],
      ['skip', 'skip', 'skip', { ...info, sequenceId: 3, attempts: 1 }],
      ['success', 'x', 'good done', { ...info, sequenceId: 1, attempts: 2, metadata: { tag: 1 } }],
    ]);
  });

  test('onFailure is called once, after the last attempt, in per_stage too', async () => {
    const told: string[] = [];
    const { pipeline } = await world({ hooks: { failure: (id) => void told.push(id) } });
    const p = await pipeline([{ name: 'A', retry: 'per_stage', tasks: ['broken'], taskWaitSeconds: SOON, onFailure: 'failure' }]);
    await p.run(named('a', 'b'), {});
    expect(told.toSorted()).toEqual(['a', 'b']);
  });

  test('a hook changes nothing, whatever it throws and whatever it does to what it is shown', async () => {
    const { pipeline, runs } = await world({
      hooks: {
        spoil: (_id, value) => {
          (value as { n: number }).n = 999;
          throw new Error('broken hook');
        },
        reject: () => Promise.reject(new Error('broken hook')),
      },
    });
    const p = await pipeline([
      { name: 'A', tasks: ['pass'], onSuccess: 'spoil', onFailure: 'reject' },
      { name: 'B', tasks: ['refused'], onFailure: 'reject' },
    ]);
    const { results } = await p.run([{ id: 'x', value: { n: 1 } }], {});
    expect(results[0]?.error).toEqual({ type: 'PermanentError', message: 'useless', stage: 'B', attempts: 1 });
    expect((await p.item('x')).value).toEqual({ n: 1 });
    expect(runs).toEqual(['pass:x', 'refused:x']);
  });

  test('an asynchronous hook is done before the next stage begins', async () => {
    const log: string[] = [];
    const { pipeline } = await world({
      hooks: {
        slow: async () => {
          log.push('hook begins');
          await new Promise((resolve) => setImmediate(resolve));
          log.push('hook ends');
        },
      },
      tasks: { note: (_value: unknown, { stage }: TaskContext) => void log.push(stage) },
    });
    const p = await pipeline([
      { name: 'A', tasks: ['note'], onSuccess: 'slow' },
      { name: 'B', tasks: ['note'] },
    ]);
    await p.run(['x'], {});
    expect(log).toEqual(['A', 'hook begins', 'hook ends', 'B']);
  });
}
