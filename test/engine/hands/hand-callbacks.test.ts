/** Predicates and hooks that hands call. */
import { describe, expect, it } from 'vitest';
import { handWorld, turns } from './world.ts';

const X = [{ id: 'x', value: { n: 1 }, tenant: 't' }];

describe('a predicate at a hand', () => {
  it.each([
    [true, 'completed', ['skips']],
    [false, 'in_progress', ['skips', 'work']],
  ])('that answers %s decides', async (answer, status, called) => {
    const { pipeline, hands } = handWorld();
    const p = await pipeline({ skipIf: { task: 'skips', with: { over: '{{ value.n }}' } } });
    await p.feed(X, {});
    await turns();
    const { use, args, context } = hands.last('skips').job;
    expect([use, args]).toEqual([{ kind: 'predicate', name: 'skips', given: { over: 1 }, hasSecrets: false }, [{ n: 1 }]]);
    expect(context).toEqual({ itemId: 'x', sequenceId: expect.any(Number), metadata: { tenant: 't' } });
    hands.last('skips').end(answer);
    await turns();
    expect([(await p.item('x')).status, hands.calls.map(({ job }) => job.use.name)]).toEqual([status, called]);
  });

  it('that does not answer in time does not skip, and is aborted', async () => {
    const { pipeline, hands, clock, lines } = handWorld();
    const p = await pipeline({ skipIf: 'skips' });
    await p.feed(X, {});
    await turns();
    clock.advance(1000);
    await turns();
    expect(hands.last('skips').signal.reason).toMatchObject({ name: 'TaskTimeoutError' });
    expect(hands.last('work').job.args).toEqual([{ n: 1 }]);
    expect(lines.some(({ message }) => message === 'skipIf threw; the item is not skipped')).toBe(true);
  });
});

describe('a hook at a hand', () => {
  it('is told the item’s value and all else that hooks are told', async () => {
    const { pipeline, hands } = handWorld();
    const p = await pipeline({ onSuccess: 'tell' });
    await p.feed(X, { feedId: 'f' });
    await turns();
    hands.last('work').end({ n: 2 });
    await turns();
    const { use, args, context } = hands.last('tell').job;
    expect(use).toEqual({ kind: 'hook', name: 'tell', given: undefined, hasSecrets: false });
    expect(args).toEqual(['x', { n: 2 }]);
    const info = { sequenceId: expect.any(Number), feedId: 'f', stage: 'A', attempts: 1, metadata: { tenant: 't' } };
    expect(context).toEqual({ ...info, pipeline: 'p', trace: null });
    expect((await p.item('x')).status).toBe('in_progress');
    hands.last('tell').end();
    await turns();
    expect((await p.item('x')).status).toBe('completed');
  });

  it('is told the error, with what it steers by and without secrets', async () => {
    const { pipeline, hands } = handWorld();
    const p = await pipeline({ onFailure: 'tell' });
    await p.feed(X, {});
    await turns();
    const cause = Object.assign(new Error('hush again'), { code: 'ECONNRESET' });
    hands.last('work').fail(Object.assign(new Error('not hush', { cause }), { name: 'Refused', permanent: true, status: 403 }));
    await turns();
    const [, error] = hands.last('tell').job.args;
    expect(error).toBeInstanceOf(Error);
    const told = { name: 'Refused', message: 'not [secret KEY]', permanent: true, status: 403 };
    expect(error).toMatchObject({ ...told, cause: { message: '[secret KEY] again', code: 'ECONNRESET' } });
    expect((error as Error).stack).not.toContain('hush');
    expect(hands.last('tell').job.context).toMatchObject({ value: { n: 1 }, input: { n: 1 } });
  });

  it.each(['stop', 'time'] as const)('that is given up (%s) is aborted there, and the item is not affected', async (how) => {
    const { pipeline, hands, clock } = handWorld();
    const p = await pipeline({ onSuccess: 'tell' });
    await p.feed(X, {});
    await turns();
    hands.last('work').end(2);
    await turns();
    expect(hands.last('tell').signal.aborted).toBe(false);
    if (how === 'time') clock.advance(1000);
    else await p.shutdown('force');
    await turns();
    expect(hands.last('tell').signal.aborted).toBe(true);
    expect(await p.item('x')).toMatchObject({ status: 'completed', value: 2 });
  });

  it('of a pause and of a feed that is done goes the same way, and is aborted when its time is up', async () => {
    const { pipeline, hands, clock } = handWorld();
    const p = await pipeline(
      { tasks: ['builtIn', 'work'], pauseAfterFailures: { count: 1, withinSeconds: 10, hook: 'tell' } },
      { onDone: { task: 'tell', with: { done: true } } },
    );
    await p.feed(X, { feedId: 'f' });
    await turns();
    hands.last('work').fail(Object.assign(new Error('no'), { permanent: true }));
    await turns();
    const told = hands.calls.filter(({ job }) => job.use.name === 'tell');
    expect(told.map(({ job }) => [job.args[0], job.use.given])).toEqual(
      expect.arrayContaining([
        ['x', undefined],
        ['f', { done: true }],
      ]),
    );
    expect(told).toHaveLength(2);
    clock.advance(1000);
    await turns();
    expect(told.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  it('whose parameters are rendered too late is not begun', async () => {
    const { pipeline, hands, clock } = handWorld(() => [], {
      expressions: {
        compile: () => () => new Promise((resolve) => clock.setTimer(() => resolve('late'), 5000)),
        membersNamed: () => [],
        rootsNamed: () => [],
      },
    });
    const p = await pipeline({ tasks: ['builtIn'], onSuccess: { task: 'tell', with: { at: '{{ slow }}' } } });
    await p.feed(X, {});
    await turns();
    clock.advance(1000);
    await turns();
    expect((await p.item('x')).status).toBe('completed');
    clock.advance(4000);
    await turns();
    expect(hands.last('tell').signal.aborted).toBe(true);
  });
});
