import { expect } from 'vitest';
import type { TaskContext } from '../../../src/engine/index.ts';
import { ended, expectBooksToBalance, NEVER, named, reaches, SOON, type Suite } from '../world.ts';

export function operations({ test, world }: Suite): void {
  test('count the attempts of an item in all stages, tasks and runs, and keep its last error', async () => {
    let isWell = false;
    const failing = (times: number) => {
      let left = times;
      return (value: unknown) => {
        if (!isWell && left-- > 0) throw new RangeError('again');
        return value;
      };
    };
    const { pipeline } = await world({ tasks: { once: failing(1), never: failing(Number.POSITIVE_INFINITY) } });
    const p = await pipeline([
      { name: 'A', tasks: ['once', 'pass'], taskWaitSeconds: 0 },
      { name: 'B', tasks: ['never'], retry: 'per_stage', stageAttempts: 3, taskWaitSeconds: 0 },
    ]);
    await p.feed(named('x'), {});
    await reaches(p, 'x', 'failed');
    const error = { type: 'RangeError', message: 'again', stage: 'B', attempts: 3 };
    expect(await p.item('x')).toMatchObject({ attempts: 3, totalAttempts: 6, error, lastError: error });
    isWell = true;
    await p.retryItem('x');
    await reaches(p, 'x', 'completed');
    expect(await p.item('x')).toMatchObject({ attempts: 1, totalAttempts: 7, error: null, lastError: error });
    const { rows } = await p.items({ after: 0, limit: 10 });
    expect(rows[0]).toMatchObject({ id: 'x', totalAttempts: 7, lastError: error });
    await p.feed(named('y'), {});
    await reaches(p, 'y', 'completed');
    expect(await p.item('y')).toMatchObject({ attempts: 1, totalAttempts: 3, lastError: null });
  });

  test('cancel ends a queued item, which never runs', async () => {
    const { pipeline, gate, held, runs } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a', 'b', 'c'), {});
    await held(1);
    expect(await p.cancelItem('b')).toMatchObject({ id: 'b', status: 'cancelled', stage: 'A', worker: null, error: { type: 'Cancelled' } });
    gate.open('a');
    await held(1);
    gate.open('c');
    await ended(p, 3);
    expect(runs).toEqual(['gated:a', 'gated:c']);
    await expectBooksToBalance(p);
  });

  test('cancel aborts a running item and frees its worker at once, though its handler goes on', async () => {
    const signals: AbortSignal[] = [];
    const begun = Promise.withResolvers<void>();
    const { pipeline } = await world({
      tasks: {
        deaf: (_value: unknown, { signal, itemId }: TaskContext) => {
          if (itemId !== 'a') return 'ran';
          signals.push(signal);
          begun.resolve();
          return new Promise(() => undefined);
        },
      },
    });
    const p = await pipeline([{ name: 'A', tasks: ['deaf'] }]);
    await p.feed(named('a', 'b'), {});
    await begun.promise;
    expect((await p.cancelItem('a')).status).toBe('cancelled');
    await reaches(p, 'b', 'completed');
    expect(signals.map(({ aborted, reason }) => [aborted, (reason as Error).name])).toEqual([[true, 'AbortedError']]);
    expect((await p.stats()).handlersIgnoringSignal).toBe(1);
  });

  test('cancel ends an item that waits: between attempts, for a limit, for room', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'Flaky', tasks: ['flaky'], taskWaitSeconds: NEVER },
      { name: 'Limited', workers: 2, tasks: ['pass'], taskRateLimits: { pass: { limit: 1, perSeconds: NEVER } } },
      { name: 'Full', tasks: ['gated'], queueCapacity: 1 },
    ]);
    await p.feed(named('retrying'), {});
    await p.feed(named('holds', 'waits'), { targetStage: 'Full' });
    await p.feed(named('first', 'limited'), { targetStage: 'Limited' });
    await held(1);
    await reaches(p, 'retrying', 'retrying');
    await reaches(p, 'first', 'queued', 'Full');
    await reaches(p, 'limited', 'in_progress', 'Limited');
    for (const id of ['retrying', 'limited', 'first', 'waits', 'holds']) {
      expect(await p.cancelItem(id)).toMatchObject({ id, status: 'cancelled' });
      await expectBooksToBalance(p);
    }
    expect(await p.stats()).toMatchObject({ itemsCancelled: 5, itemsInFlight: 0 });
    expect(gate.inside).toEqual([]);
    expect(await p.join()).toMatchObject({ done: true });
  });

  test('cancel is refused for what has ended, and for what is not there', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.run(named('x'), {});
    await expect(p.cancelItem('x')).rejects.toMatchObject({ code: 'item-final' });
    await expect(p.cancelItem('nobody')).rejects.toMatchObject({ code: 'item-not-found' });
  });

  /** A stage B that fails until it is mended, with a count of its runs. */
  const breakable = async () => {
    let isMended = false;
    const it = await world({
      tasks: {
        mendable: (value: unknown, ctx: TaskContext) => {
          if (!isMended) throw ctx.permanent('not yet');
          return `${String(value)} mended`;
        },
        mark: (value: unknown) => `${String(value)}+`,
      },
    });
    const p = await it.pipeline([
      { name: 'A', tasks: ['mark'] },
      { name: 'B', tasks: ['mark', 'mendable'] },
    ]);
    return {
      ...it,
      p,
      mend: () => {
        isMended = true;
      },
    };
  };

  test('retry lets a failed item go on where it failed, under the same id and sequence id', async () => {
    const { p, mend, runs } = await breakable();
    await p.run(named('x'), { feedId: 'f' });
    mend();
    expect(await p.retryItem('x')).toMatchObject({ id: 'x', sequenceId: 1, feedId: 'f', stage: 'B', error: null });
    await reaches(p, 'x', 'completed');
    expect((await p.item('x')).value).toBe('x++ mended');
    expect(runs).toEqual(['mark:x', 'mark:x', 'mendable:x', 'mendable:x']);
    expect(await p.stats()).toMatchObject({ itemsFed: 1, itemsProcessed: 1, itemsFailed: 0 });
    expect(await p.errors()).toMatchObject({ totalFailed: 0, errorsByType: {}, errorsByStage: {}, failedItems: [] });
    await expectBooksToBalance(p);
  });

  test('retry from an earlier stage starts from what was fed', async () => {
    const { p, mend } = await breakable();
    await p.run(named('x'), {});
    mend();
    expect(await p.retryItem('x', 'A')).toMatchObject({ id: 'x', sequenceId: 1 });
    await reaches(p, 'x', 'completed');
    const { value, history } = await p.item('x');
    expect(value).toBe('x++ mended');
    expect(history.filter(({ status }) => status === 'queued').map(({ stage }) => stage)).toEqual(['A', 'B', 'A', 'B']);
    await expectBooksToBalance(p);
  });

  test('retry is refused for what has not failed, is not there, or is to go nowhere', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['refused'] },
      { name: 'B', tasks: ['gated'] },
    ]);
    await p.run(named('failed'), {});
    await p.feed(named('running'), { targetStage: 'B' });
    await held(1);
    await expect(p.retryItem('running')).rejects.toMatchObject({ code: 'item-not-final' });
    await expect(p.retryItem('nobody')).rejects.toMatchObject({ code: 'item-not-found' });
    await expect(p.retryItem('failed', 'Z')).rejects.toMatchObject({ code: 'unknown-stage' });
    gate.open('running');
    await reaches(p, 'running', 'completed');
    expect((await p.item('failed')).status).toBe('failed');
  });

  test('retry from a stage that does not exist is refused as that, in whatever state the item is', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['refused'] },
      { name: 'B', tasks: ['gated'] },
    ]);
    await p.run(named('failed'), {});
    await p.feed(named('running', 'waiting', 'cancelled'), { targetStage: 'B' });
    await held(1);
    await p.cancelItem('cancelled');
    const refused = async (...ids: string[]): Promise<void> => {
      for (const id of ids) await expect(p.retryItem(id, 'Z')).rejects.toMatchObject({ code: 'unknown-stage' });
    };
    await refused('failed', 'running', 'waiting', 'cancelled');
    await expect(p.retryItem('nobody', 'Z')).rejects.toMatchObject({ code: 'item-not-found' });
    gate.open('running');
    await reaches(p, 'running', 'completed');
    await refused('running');
    await held(1);
    gate.open('waiting');
    await reaches(p, 'waiting', 'completed');
  });

  test('retryFailed of a stage that does not exist is refused', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    await expect(p.retryFailed({ stage: 'B' })).rejects.toMatchObject({ code: 'unknown-stage' });
  });

  test('items and retryFailed are filtered by the type of the error and the status that it carries, also with other filters', async () => {
    const runs: string[] = [];
    const answers: Record<string, object> = {
      a: { name: 'HttpStatus', status: 400, permanent: true },
      b: { name: 'HttpStatus', status: 429 },
      c: { name: 'HttpStatus', status: 500 },
      d: { name: 'Other', status: 429 },
      e: { name: 'HttpStatus', status: 'no number' },
    };
    const answered = (value: unknown, { itemId }: TaskContext) => {
      runs.push(itemId);
      if (answers[itemId] === undefined) return value;
      throw Object.assign(new Error('no'), answers[itemId]);
    };
    const { pipeline } = await world({ tasks: { answered } });
    const p = await pipeline([{ name: 'A', tasks: ['answered'], taskAttempts: 1 }]);
    await p.run(named('fine', 'a', 'b', 'c'), { feedId: 'one' });
    await p.run(named('d', 'e'), { feedId: 'two' });
    await p.pause();
    await p.feed(named('cancelled', 'waiting'), {});
    await p.cancelItem('cancelled');
    const list = async (query: object) => (await p.items({ after: 0, limit: 100, ...query })).rows.map(({ id }) => id);
    expect((await p.item('b')).error).toEqual({ type: 'HttpStatus', message: 'no', status: 429, stage: 'A', attempts: 1 });
    expect((await p.item('e')).error).toEqual({ type: 'HttpStatus', message: 'no', stage: 'A', attempts: 1 });
    expect(await list({ errorType: 'HttpStatus' })).toEqual(['a', 'b', 'c', 'e']);
    expect(await list({ errorStatus: 429 })).toEqual(['b', 'd']);
    expect(await list({ errorType: 'HttpStatus', errorStatus: 429 })).toEqual(['b']);
    expect(await list({ errorStatus: 429, feedId: 'two', stage: 'A', status: ['failed', 'queued'] })).toEqual(['d']);
    expect(await list({ errorType: 'Cancelled' })).toEqual(['cancelled']);
    expect(await list({ errorType: 'Cancelled', status: ['failed'] })).toEqual([]);
    expect(await list({ errorType: 'HttpStatus', status: ['completed'] })).toEqual([]);
    expect(await list({ errorStatus: 404 })).toEqual([]);
    const first = await p.items({ after: 0, limit: 2, errorType: 'HttpStatus' });
    expect(first.rows.map(({ id }) => id)).toEqual(['a', 'b']);
    const second = await p.items({ after: first.next as number, limit: 2, errorType: 'HttpStatus' });
    expect([second.rows.map(({ id }) => id), second.next]).toEqual([['c', 'e'], null]);
    await p.resume();
    await reaches(p, 'waiting', 'completed');
    runs.length = 0;
    expect(await p.retryFailed({ errorStatus: 429, errorType: 'HttpStatus' })).toBe(1);
    expect(await p.retryFailed({ errorStatus: 404 })).toBe(0);
    await reaches(p, 'b', 'failed');
    expect(runs).toEqual(['b']);
  });

  test('retryFailed takes those of a stage, an error type, a feed, or all, and says how many', async () => {
    const { pipeline, runs } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['refused'] },
      { name: 'B', tasks: ['broken'], taskAttempts: 1, taskWaitSeconds: SOON },
    ]);
    await p.run(named('a1', 'a2'), { feedId: 'one' });
    await p.run(named('a3'), { feedId: 'two' });
    await p.run(named('b1'), { feedId: 'three', targetStage: 'B' });
    const again = async (query: object): Promise<string[]> => {
      runs.length = 0;
      const before = (await p.stats()).itemsFailed;
      const count = await p.retryFailed(query);
      await ended(p, before);
      const ids = runs.map((run) => run.split(':')[1] ?? '').toSorted();
      expect(count).toBe(ids.length);
      return ids;
    };
    expect(await again({ stage: 'A' })).toEqual(['a1', 'a2', 'a3']);
    expect(await again({ errorType: 'RangeError' })).toEqual(['b1']);
    expect(await again({ feedId: 'one' })).toEqual(['a1', 'a2']);
    expect(await again({ stage: 'A', feedId: 'three' })).toEqual([]);
    expect(await again({})).toEqual(['a1', 'a2', 'a3', 'b1']);
    expect(await p.stats()).toMatchObject({ itemsFed: 4, itemsFailed: 4 });
    await expectBooksToBalance(p);
  });
}
