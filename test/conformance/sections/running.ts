import { expect } from 'vitest';
import { SluiceError } from '../../../src/engine/index.ts';
import { ended, named, reaches, type Suite } from '../world.ts';

export function running({ test, world }: Suite): void {
  test('gives every item in feed order, whatever the order of completion', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 3, tasks: ['gated'] }]);
    const ran = p.run(named('a', 'b', 'c'), { feedId: 'f' });
    await held(3);
    for (const id of ['c', 'a', 'b']) {
      gate.open(id);
      await reaches(p, id, 'completed');
    }
    const { feedId, results, errorSummary } = await ran;
    expect(feedId).toBe('f');
    expect(results.map(({ id, sequenceId, value, error, feedId: of }) => [id, sequenceId, value, error, of])).toEqual([
      ['a', 1, 'a', null, 'f'],
      ['b', 2, 'b', null, 'f'],
      ['c', 3, 'c', null, 'f'],
    ]);
    expect(errorSummary).toEqual({ totalFailed: 0, errorsByType: {}, errorsByStage: {}, failedItems: [] });
  });

  test('does not start what does not run when it may not, and leaves nothing behind', async () => {
    const { pipeline } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.shutdown('graceful');
    await expect(p.run(named('a'), { feedId: 'f', mayStart: false })).rejects.toMatchObject({ code: 'not-running' });
    await expect(p.openRun({ feedId: 'f', mayStart: false })).rejects.toMatchObject({ code: 'not-running' });
    await expect(p.openRun({ feedId: 'f', mayStart: false }, named('a'))).rejects.toMatchObject({ code: 'not-running' });
    expect(await p.describe()).toMatchObject({ state: 'stopped', itemsInFlight: 0 });
    expect((await p.run(named('a'), { feedId: 'f' })).results).toHaveLength(1);
    expect((await p.run(named('b'), { mayStart: false })).results).toHaveLength(1);
  });

  test('waits for its own items alone', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 2, tasks: ['gated'] }]);
    await p.feed(named('other'), {});
    await held(1);
    const ran = p.run(named('mine'), {});
    await held(2);
    gate.open('mine');
    expect((await ran).results.map(({ id }) => id)).toEqual(['mine']);
    expect(gate.inside).toEqual(['other']);
  });

  test('has the failed ones among its results, with their error, and sums them up', async () => {
    const { pipeline } = await world({
      tasks: {
        picky: (value: unknown, ctx) => {
          if (value === 'bad') throw ctx.permanent('not this one');
          return value;
        },
      },
    });
    const p = await pipeline([{ name: 'A', tasks: ['picky'] }]);
    await p.run(named('bad'), {});
    const { results, errorSummary } = await p.run(['good', { id: 'worse', value: 'bad' }, 'fine'], {});
    const error = { type: 'PermanentError', message: 'not this one', stage: 'A', attempts: 1 };
    expect(results.map(({ value, error: fault }) => [value, fault])).toEqual([
      ['good', null],
      [null, error],
      ['fine', null],
    ]);
    expect(errorSummary).toMatchObject({
      totalFailed: 1,
      errorsByType: { PermanentError: 1 },
      errorsByStage: { A: 1 },
      failedItems: [{ itemId: 'worse', error: 'not this one', errorType: 'PermanentError', stage: 'A', attempts: 1 }],
    });
  });

  test('has the cancelled ones among its results', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    const ran = p.run(named('a', 'b'), {});
    await held(1);
    await p.cancelItem('b');
    gate.open('a');
    const { results, errorSummary } = await ran;
    expect(results.map(({ id, error }) => [id, error?.type ?? null])).toEqual([
      ['a', null],
      ['b', 'Cancelled'],
    ]);
    expect(errorSummary.totalFailed).toBe(0);
  });

  test('starts a pipeline that was created or has stopped, and leaves it running', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['double'] }], { start: false });
    expect((await p.run([1], {})).results[0]?.value).toBe(2);
    expect((await p.describe()).state).toBe('running');
    await p.shutdown('graceful', 10);
    expect((await p.run([2], {})).results[0]?.value).toBe(4);
    expect((await p.describe()).state).toBe('running');
  });

  test('is over at once with nothing to run', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    expect((await p.run([], {})).results).toEqual([]);
  });

  test('refuses what feed refuses', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { backlogCapacity: 2 });
    await p.feed(named('a'), { feedId: 'f' });
    await expect(p.run([1, 2, 3], {})).rejects.toMatchObject({ code: 'queue-full', retryAfterSeconds: expect.any(Number) });
    await expect(p.run([1], { feedId: 'f' })).rejects.toMatchObject({ code: 'feed-exists' });
    await expect(p.run([1], { targetStage: 'Z' })).rejects.toMatchObject({ code: 'unknown-stage' });
    await expect(p.run(named('a'), { onDuplicate: 'reject' })).rejects.toMatchObject({ code: 'duplicate-items' });
    await ended(p, 1);
    expect((await p.stats()).itemsFed).toBe(1);
  });

  test('stops waiting when its caller has gone; the items go on', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    const caller = new AbortController();
    const ran = p.run(named('x'), { signal: caller.signal });
    await held(1);
    caller.abort();
    await expect(ran).rejects.toBeInstanceOf(SluiceError);
    gate.open('x');
    await reaches(p, 'x', 'completed');
  });

  test('is told when the pipeline is shut down before its items have ended', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    const refused = expect(p.run(named('x'), {})).rejects.toMatchObject({ code: 'invalid-state' });
    await held(1);
    await p.shutdown('force', 10);
    await refused;
    expect((await p.item('x')).status).toBe('queued');
  });
}
