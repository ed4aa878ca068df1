import { expect } from 'vitest';
import type { PipelineRuntime } from '../../../src/engine/index.ts';
import { EVERYTHING, ended, expectBooksToBalance, NEVER, named, reaches, type Suite } from '../world.ts';

const gated = (workers: number) => [{ name: 'A', workers, tasks: ['gated'] }];
const ALL_RESULTS = { ...EVERYTHING, status: 'all' } as const;
const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);

/** Three held and fed as `f`: `a` completed, `b` failed, `c` held, `d` queued; `x` of another feed held in between. */
async function halfway({ world }: Suite) {
  const it = await world();
  const p = await it.pipeline([{ name: 'A', workers: 2, tasks: ['gated'], taskAttempts: 1 }]);
  const writer = await p.openFeed({ feedId: 'f' });
  await writer.push(named('a', 'b'));
  await it.held(2);
  await p.feed(named('x'), { feedId: 'other' });
  await writer.push(named('c', 'a', 'd'));
  await writer.end();
  it.gate.open('a');
  it.gate.fail('b', new RangeError('no b'));
  await it.held(2);
  await reaches(p, 'c', 'in_progress');
  return { ...it, p };
}

export function feeds(suite: Suite): void {
  const { test, world } = suite;

  test('know the name that they were made under, and are listed by it', async () => {
    const { pipeline } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.feed(named('a'), { feedId: 'fed', maker: 'ci' });
    await p.run(named('b'), { feedId: 'run', maker: 'cd' });
    await (await p.openFeed({ feedId: 'sent', maker: 'ci' })).end();
    await p.feed(named('c'), { feedId: 'plain' });
    expect(await Promise.all(['fed', 'run', 'sent', 'plain'].map((feedId) => p.feedMaker(feedId)))).toEqual(['ci', 'cd', 'ci', null]);
    await expect(p.feedMaker('none')).rejects.toMatchObject({ code: 'feed-not-found' });
    const first = await p.feeds({ after: 0, limit: 1, maker: 'ci' });
    const second = await p.feeds({ after: first.next ?? 0, limit: 1, maker: 'ci' });
    expect([first, second].flatMap(({ rows }) => rows.map(({ feedId }) => feedId))).toEqual(['fed', 'sent']);
    expect(second.next).toBeNull();
  });

  test('are shown with counts that add up, while they run and when they are done', async () => {
    const { p, gate, held } = await halfway(suite);
    const view = await p.feedView('f');
    expect(view).toEqual({
      feedId: 'f',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      total: 4,
      queued: 1,
      inProgress: 1,
      completed: 1,
      failed: 1,
      cancelled: 0,
      duplicates: 1,
      uploadComplete: true,
      sending: false,
      done: false,
      throughputPerSecond: expect.any(Number),
      etaSeconds: expect.any(Number),
    });
    expect(view.throughputPerSecond).toBeGreaterThan(0);
    expect(view.etaSeconds).toBeGreaterThan(0);
    gate.open();
    await held(1);
    gate.open();
    await p.waitForFeed('f', {});
    expect(await p.feedView('f')).toMatchObject({ total: 4, queued: 0, inProgress: 0, completed: 3, failed: 1, done: true, etaSeconds: 0 });
    await expect(p.feedView('nobody')).rejects.toMatchObject({ code: 'feed-not-found' });
  });

  test('count an item between two attempts as queued', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: [{ task: 'flaky', with: { failures: 1 } }], taskAttempts: 2, taskWaitSeconds: NEVER },
    ]);
    await p.feed(named('x'), { feedId: 'f' });
    await reaches(p, 'x', 'retrying');
    expect(await p.feedView('f')).toMatchObject({
      total: 1,
      queued: 1,
      inProgress: 0,
      done: false,
      throughputPerSecond: 0,
      etaSeconds: null,
    });
  });

  test('are not done while they are still being sent, and are there although nothing was accepted', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    const writer = await p.openFeed({ feedId: 'f' });
    expect(await p.feedView('f')).toMatchObject({ total: 0, done: false, etaSeconds: null });
    await writer.push(named('a'));
    await ended(p, 1);
    expect(await p.feedView('f')).toMatchObject({ total: 1, completed: 1, done: false });
    await writer.end();
    expect(await p.feedView('f')).toMatchObject({ done: true, etaSeconds: 0 });
    const { feedId } = await p.feed([], {});
    expect(await p.feedView(feedId)).toMatchObject({ total: 0, done: true, throughputPerSecond: 0, etaSeconds: 0 });
  });

  test('are forgotten when their request was given up before anything was accepted', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    const first = await p.openFeed({ feedId: 'f' });
    await first.abort();
    await expect(p.feedView('f')).rejects.toMatchObject({ code: 'feed-not-found' });
    const second = await p.openFeed({ feedId: 'f' });
    await second.push(named('a'));
    expect(await second.abort()).toMatchObject({ feedId: 'f', accepted: 1 });
    expect(await p.waitForFeed('f', {})).toMatchObject({ done: true, feed: { total: 1, completed: 1 } });
  });

  test('are listed in the order of their creation, page by page', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    for (const feedId of ['e', 'b', 'd', 'a', 'c']) await p.feed([1], { feedId });
    const all: string[] = [];
    let after: number | null = 0;
    for (let pages = 0; after !== null; pages++) {
      expect(pages).toBeLessThan(3);
      const page: Awaited<ReturnType<PipelineRuntime['feeds']>> = await p.feeds({ after, limit: 2 });
      expect(page).toMatchObject({ retired: 0 });
      all.push(...page.rows.map(({ feedId }) => feedId));
      after = page.next;
      if (pages === 0) await p.feed([1], { feedId: 'late' });
    }
    expect(all).toEqual(['e', 'b', 'd', 'a', 'c', 'late']);
  });

  test('give their own results in feed order, page by page', async () => {
    const { p, gate, held } = await halfway(suite);
    gate.open('x');
    await held(2);
    expect(ids((await p.feedResults('f', ALL_RESULTS)).rows)).toEqual(['a', 'b']);
    gate.open();
    await p.waitForFeed('f', {});
    const first = await p.feedResults('f', { ...ALL_RESULTS, limit: 3 });
    expect(ids(first.rows)).toEqual(['a', 'b', 'c']);
    expect(ids((await p.feedResults('f', { ...ALL_RESULTS, limit: 3, after: first.next ?? Number.NaN })).rows)).toEqual(['d']);
    expect(ids((await p.feedResults('f', { ...ALL_RESULTS, status: 'completed' })).rows)).toEqual(['a', 'c', 'd']);
    expect((await p.feedResults('f', { ...ALL_RESULTS, status: 'failed' })).rows).toMatchObject([{ id: 'b', error: { message: 'no b' } }]);
    await expect(p.feedResults('nobody', ALL_RESULTS)).rejects.toMatchObject({ code: 'feed-not-found' });
  });

  test('are waited for: until they are done, the time is up, or the caller goes', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated(1));
    await p.feed(named('a', 'b'), { feedId: 'f' });
    await held(1);
    expect(await p.waitForFeed('f', { timeoutSeconds: 0 })).toMatchObject({ done: false, feed: { inProgress: 1, queued: 1 } });
    const caller = new AbortController();
    const given = p.waitForFeed('f', { signal: caller.signal });
    const kept = [p.waitForFeed('f', {}), p.waitForFeed('f', { timeoutSeconds: NEVER })];
    caller.abort();
    await expect(given).rejects.toMatchObject({ code: 'request-timeout' });
    gate.open('a');
    await held(1);
    gate.open('b');
    for (const waited of await Promise.all(kept)) expect(waited).toMatchObject({ done: true, feed: { completed: 2, done: true } });
    expect(await p.waitForFeed('f', { timeoutSeconds: 0 })).toMatchObject({ done: true });
    await expect(p.waitForFeed('nobody', {})).rejects.toMatchObject({ code: 'feed-not-found' });
  });

  test('are waited for until their last push has come and ended', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    const writer = await p.openFeed({ feedId: 'f' });
    await writer.push(named('a'));
    await ended(p, 1);
    let isDone = false;
    const waited = p.waitForFeed('f', {}).then(() => {
      isDone = true;
    });
    await writer.push(named('b'));
    await ended(p, 2);
    expect(isDone).toBe(false);
    await writer.end();
    await waited;
  });

  test('tell who waits for them when the pipeline is shut down', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline(gated(1));
    await p.feed(named('a'), { feedId: 'f' });
    await held(1);
    const refused = expect(p.waitForFeed('f', {})).rejects.toMatchObject({ code: 'invalid-state' });
    await p.shutdown('force', 10);
    await refused;
  });

  test('are cancelled: what waits and what runs, no item of another feed, and none of theirs is begun meanwhile', async () => {
    const { p, gate, runs } = await halfway(suite);
    const before = runs.length;
    expect(await p.cancelFeed('f')).toBe(2);
    expect(await p.feedView('f')).toMatchObject({ completed: 1, failed: 1, cancelled: 2, done: true, etaSeconds: 0 });
    expect((await p.item('x')).status).toBe('in_progress');
    expect(runs.length).toBe(before);
    expect(await p.cancelFeed('f')).toBe(0);
    gate.open('x');
    await ended(p, 5);
    await expectBooksToBalance(p);
    await expect(p.cancelFeed('nobody')).rejects.toMatchObject({ code: 'feed-not-found' });
  });

  test('take no more when they are cancelled while they are being sent', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline(gated(1), { backlogCapacity: 1 });
    const writer = await p.openFeed({ feedId: 'f' });
    await writer.push(named('a'));
    await held(1);
    const refused = expect(writer.push(named('b', 'c'))).rejects.toMatchObject({ code: 'feed-cancelled', details: { accepted: 2 } });
    expect(await p.cancelFeed('f')).toBe(2);
    await refused;
    await expect(writer.push(named('d'))).rejects.toMatchObject({ code: 'feed-cancelled' });
    expect(await p.feedView('f')).toMatchObject({ total: 2, cancelled: 2, done: false });
    expect(await writer.end()).toMatchObject({ accepted: 2 });
    expect(await p.feedView('f')).toMatchObject({ done: true });
  });

  test('are retried: their failed items run again, and they are done again after that', async () => {
    const { p, gate, held } = await halfway(suite);
    gate.fail('x', new RangeError('no x'));
    await held(2);
    gate.open();
    await p.waitForFeed('f', {});
    expect(await p.retryFeed('f')).toBe(1);
    expect(await p.feedView('f')).toMatchObject({ completed: 3, failed: 0, done: false });
    await held(1);
    gate.open('b');
    expect(await p.waitForFeed('f', {})).toMatchObject({ done: true, feed: { completed: 4, failed: 0 } });
    expect((await p.item('x')).status).toBe('failed');
    expect(await p.retryFeed('f')).toBe(0);
    await expect(p.retryFeed('nobody')).rejects.toMatchObject({ code: 'feed-not-found' });
  });
}

export function following(suite: Suite): void {
  const { test, world } = suite;

  /** Reads batches one by one, so that a test can look in between. */
  function reader(rows: AsyncIterable<readonly { id: string }[]>) {
    const iterator = rows[Symbol.asyncIterator]();
    return {
      next: async (): Promise<string[] | 'over'> => {
        const { value, done } = await iterator.next();
        return done === true ? 'over' : ids(value);
      },
      rest: async (): Promise<string[]> => {
        const all: string[] = [];
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) all.push(...ids(next.value));
        return all;
      },
    };
  }

  test('gives each result as soon as all before it are final, the failed ones too, and ends with the feed', async () => {
    const { p, gate, held } = await halfway(suite);
    const follower = reader(p.followFeed('f', { status: 'all', after: 0 }));
    expect(await follower.next()).toEqual(['a', 'b']);
    const next = follower.next();
    gate.open('x');
    await held(2);
    // The last one first: it is not given before the one that was fed before it.
    gate.open('d');
    await reaches(p, 'd', 'completed');
    gate.open('c');
    expect(await next).toEqual(['c', 'd']);
    expect(await follower.next()).toBe('over');
    await expect(reader(p.followFeed('nobody', { status: 'all', after: 0 })).next()).rejects.toMatchObject({ code: 'feed-not-found' });
  });

  test('goes on while the feed is still being sent, from wherever it was asked to begin', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated(2));
    const writer = await p.openFeed({ feedId: 'f' });
    const all = reader(p.followFeed('f', { status: 'all', after: 0 })).rest();
    const later = reader(p.followFeed('f', { status: 'all', after: 2 })).rest();
    for (const id of ['a', 'b', 'c']) {
      await writer.push(named(id));
      await held(1);
      gate.open(id);
      await reaches(p, id, 'completed');
    }
    await p.feed(named('other'), {});
    await held(1);
    await writer.end();
    expect(await all).toEqual(['a', 'b', 'c']);
    expect(await later).toEqual(['c']);
  });

  test('gives only what ended so as was asked for', async () => {
    const { p, gate, held } = await halfway(suite);
    const failed = reader(p.followFeed('f', { status: 'failed', after: 0 })).rest();
    const cancelled = reader(p.followFeed('f', { status: 'cancelled', after: 0 })).rest();
    await p.cancelItem('d');
    gate.open();
    await held(0);
    expect([await failed, await cancelled]).toEqual([['b'], ['d']]);
  });

  test('is over at once for a feed that has nothing', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.feed([], { feedId: 'f' });
    expect(await reader(p.followFeed('f', { status: 'all', after: 0 })).next()).toBe('over');
  });

  test('stops when its caller goes, and is told when the pipeline is shut down', async () => {
    const { p } = await halfway(suite);
    const caller = new AbortController();
    const gone = reader(p.followFeed('f', { status: 'all', after: 0, signal: caller.signal }));
    const cut = reader(p.followFeed('f', { status: 'all', after: 0 }));
    expect([await gone.next(), await cut.next()]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    const [goneNext, cutNext] = [gone.next(), cut.next()];
    caller.abort();
    await expect(goneNext).rejects.toMatchObject({ code: 'request-timeout' });
    const refused = expect(cutNext).rejects.toMatchObject({ code: 'invalid-state' });
    await p.shutdown('force', 10);
    await refused;
  });

  test('says in the end how many results were gone before they were read', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { retention: { maxItems: 2 } });
    await p.feed(named('a', 'b', 'c', 'd', 'e'), { feedId: 'f' });
    await p.waitForFeed('f', {});
    const follower = reader(p.followFeed('f', { status: 'all', after: 0 }));
    expect(await follower.next()).toEqual(['d', 'e']);
    await expect(follower.next()).rejects.toMatchObject({ code: 'no-longer-kept', details: { missing: 3 } });
  });
}
