import { describe, expect, it } from 'vitest';
import { world } from './limiter-world.ts';

const ids = (...names: string[]) => names.map((id) => ({ id }));

describe('a shared limiter', () => {
  it('holds for all pipelines that use it together, in one order of priorities', async () => {
    const { clock, gate, host, pipeline } = world({ few: { concurrency: 2 } });
    const one = await pipeline('one', 'few');
    const two = await pipeline('two', 'few');
    await one.feed(ids('a', 'b', 'c'), {});
    await two.feed(ids('x'), { priority: 1 });
    await clock.settle();
    expect(gate.inside).toEqual(['a', 'b']);
    expect(await host.limiters.list()).toMatchObject([{ name: 'few', inUse: 2, waiting: 2, heldUntil: null }]);
    gate.open('a');
    await clock.settle();
    expect(gate.inside).toEqual(['b', 'x']);
  });

  it('shows what a worker waits for, and until when', async () => {
    const { clock, pipeline, gate } = world({ slow: { limit: 1, perSeconds: 60 }, few: { concurrency: 1 } });
    const slow = await pipeline('slow', 'slow');
    const few = await pipeline('few', 'few');
    await slow.feed(ids('a', 'b'), {});
    await few.feed(ids('x', 'y'), {});
    await clock.settle();
    const until = new Date(clock.now() + 60_000).toISOString();
    expect((await slow.item('b')).waitingFor).toEqual({ reason: 'rate-limit', task: 'gated', limiter: 'slow', until });
    expect((await few.item('y')).waitingFor).toEqual({ reason: 'task-limit', task: 'gated', limiter: 'few' });
    expect((await few.workerStates())['S-W1']).toMatchObject({ currentTask: 'gated', status: 'busy' });
    gate.open();
    await clock.settle();
    // Waiting is not processing time.
    await clock.advance(60_000);
    gate.open();
    await clock.settle();
    expect((await slow.workerMetrics())['S-W1']?.totalProcessingTimeSeconds).toBe(0);
  });

  it('shows what is used of its window, when the next may begin, and who waits', async () => {
    const { clock, gate, host, pipeline } = world({ tokens: { limit: 10, perSeconds: 60, weight: 'value.n' }, few: { concurrency: 1 } });
    const limiter = async (name: string) => (await host.limiters.list()).find((each) => each.name === name);
    const at = (ms: number) => new Date(clock.now() + ms).toISOString();
    const one = await pipeline('one', 'tokens');
    const two = await pipeline('two', 'tokens');
    expect(await limiter('tokens')).toMatchObject({ usedInWindow: 0, nextAt: null, waiters: [] });
    await one.feed([{ id: 'a', n: 4 }], {});
    await clock.settle();
    await clock.advance(10_000);
    await one.feed([{ id: 'b', n: 5.5 }], {});
    await clock.settle();
    // Of one token there is no room any more; nobody waits yet.
    expect(await limiter('tokens')).toMatchObject({ usedInWindow: 9.5, nextAt: at(50_000), waiting: 0 });
    await two.feed(
      [
        { id: 'x', n: 7 },
        { id: 'y', n: 1 },
      ],
      {},
    );
    await one.feed([{ id: 'c', n: 1 }], {});
    await clock.settle();
    // The first of those who wait needs the room of both.
    expect(await limiter('tokens')).toMatchObject({
      ...{ usedInWindow: 9.5, nextAt: at(60_000), inUse: 2, waiting: 3 },
      waiters: [
        { pipelineId: 'two', stage: 'S', count: 2 },
        { pipelineId: 'one', stage: 'S', count: 1 },
      ],
    });
    await clock.advance(50_000);
    expect(await limiter('tokens')).toMatchObject({ usedInWindow: 5.5, nextAt: at(10_000) });
    await clock.advance(10_000);
    expect(await limiter('tokens')).toMatchObject({ usedInWindow: 9, waiters: [] });
    gate.open();
    const few = await pipeline('few', 'few');
    await few.feed(ids('p', 'q'), {});
    await clock.settle();
    expect(await limiter('few')).toMatchObject({
      usedInWindow: null,
      nextAt: null,
      waiters: [{ pipelineId: 'few', stage: 'S', count: 1 }],
    });
  });

  it('of keys shows the next one that anyone waits for, and each key’s own part', async () => {
    const { clock, gate, host, pipeline } = world({ each: { limit: 1, perSeconds: 60, key: 'value.c' } });
    const one = await pipeline('one', 'each');
    const feed = async (id: string, c: string) => {
      await one.feed([{ id, c }], {});
      await clock.settle();
    };
    await feed('a', 'x');
    await clock.advance(20_000);
    await feed('b', 'y');
    const [alone] = await host.limiters.list();
    expect(alone).toMatchObject({ usedInWindow: 2, nextAt: null });
    await feed('c', 'y');
    const nextAt = new Date(clock.now() + 60_000).toISOString();
    expect(await host.limiters.list()).toMatchObject([
      {
        nextAt,
        keys: [
          { key: 'y', usedInWindow: 1, waiting: 1, nextAt },
          { key: 'x', usedInWindow: 1, waiting: 0, nextAt: null },
        ],
      },
    ]);
    gate.open();
  });

  it('of so many keys shows those with most to tell', async () => {
    const { clock, gate, host, pipeline } = world({ each: { limit: 3, perSeconds: 60, key: 'value' } });
    const one = await pipeline('one', 'each', { workers: 50 }, 'call');
    const values = Array.from({ length: 150 }, (_, i) => `k${i}`);
    await one.feed([...values, ...values.slice(40), ...values.slice(149)], {});
    await clock.settle();
    const [view] = await host.limiters.list();
    expect(view?.keys).toHaveLength(100);
    expect(view?.usedInWindow).toBe(261);
    expect(view?.keys[0]).toMatchObject({ key: 'k149', usedInWindow: 3 });
    expect(view?.keys.slice(1).every(({ usedInWindow }) => usedInWindow === 2)).toBe(true);
    gate.open();
  });

  it('is held for all by a 429, for as long as the server says, and lets them go after it', async () => {
    const { clock, pipeline, starts } = world({ api: { concurrency: 10 } }, (_value, { attempt, itemId }) => {
      if (itemId === 'a' && attempt === 1) throw Object.assign(new Error('slow down'), { status: 429, retryAfterSeconds: 20 });
      return 'fine';
    });
    const one = await pipeline('one', 'api', { taskAttempts: 2 }, 'call');
    const two = await pipeline('two', 'api', {}, 'call');
    const first = one.run(ids('a'), {});
    await clock.settle();
    const second = two.run(ids('x', 'y'), {});
    await clock.settle();
    expect(starts).toEqual([['a', 0]]);
    expect((await two.item('x')).waitingFor).toMatchObject({ reason: 'rate-limit', limiter: 'api' });
    const answers = await clock.finish(Promise.all([first, second]));
    expect(answers.map((answer) => (answer as { results: { error: unknown }[] }).results.map(({ error }) => error))).toEqual([
      [null],
      [null, null],
    ]);
    const later = starts.slice(1).map(([, at]) => at);
    expect(later).toHaveLength(3);
    expect(Math.min(...later)).toBeGreaterThanOrEqual(20);
    expect(new Set(later).size).toBe(3);
    expect(Math.max(...later)).toBeLessThan(30);
  });

  it.each([
    [{ status: 429 }, 7],
    [{ retryAfterSeconds: 3 }, 3],
    [{ status: 503 }, null],
  ])('after an error with %j is held for %s seconds', async (fields, seconds) => {
    const { clock, host, pipeline } = world({ api: { concurrency: 10 } }, () => Promise.reject(Object.assign(new Error('no'), fields)));
    const one = await pipeline('one', 'api', { taskAttempts: 2, taskWaitSeconds: 7 }, 'call');
    await one.feed(ids('a'), {});
    await clock.settle();
    const heldUntil = seconds === null ? null : new Date(clock.now() + seconds * 1000).toISOString();
    expect(await host.limiters.list()).toMatchObject([{ inUse: 0, heldUntil }]);
  });

  it('lets all others go on after `maxHoldSeconds`, while the item waits as long as the server says', async () => {
    const year = 31_536_000;
    const { clock, host, pipeline, starts } = world({ api: { concurrency: 10 } }, (_value, { attempt, itemId }) => {
      if (itemId === 'a' && attempt === 1) throw Object.assign(new Error('closed'), { status: 503, retryAfterSeconds: year });
      return 'fine';
    });
    const one = await pipeline('one', 'api', { taskAttempts: 2 }, 'call');
    const two = await pipeline('two', 'api', {}, 'call');
    await one.feed(ids('a'), {});
    await clock.settle();
    await two.feed(ids('x'), {});
    await clock.settle();
    const [{ heldUntil } = { heldUntil: null }] = await host.limiters.list();
    expect(Date.parse(heldUntil as string) - clock.now()).toBe(300_000);
    await clock.advance(310_000);
    expect(starts.map(([id]) => id)).toEqual(['a', 'x']);
    await clock.advance((year - 311) * 1000);
    expect(starts).toHaveLength(2);
    await clock.advance(2000);
    expect(starts.at(-1)).toEqual(['a', year]);
  });

  it('keeps its window and the stage’s, when both have a rate', async () => {
    const { clock, pipeline, starts } = world({ api: { limit: 3, perSeconds: 10 } }, () => 'done');
    // The stage's own window runs on real time (p-queue); one start a minute of it is more than this test lasts.
    const stage = { taskRateLimits: { call: { limit: 2, perSeconds: 60 } } };
    const one = await pipeline('one', 'api', stage, 'call');
    await one.feed(ids('a', 'b', 'c'), {});
    await clock.settle();
    expect(starts).toHaveLength(2);
    expect((await one.item('c')).waitingFor).toMatchObject({ reason: 'rate-limit' });
  });

  it('gives back its place when the item is cancelled, waiting or running, and at a forced shutdown', async () => {
    const { clock, gate, host, pipeline } = world({ few: { concurrency: 1 } });
    const one = await pipeline('one', 'few');
    await one.feed(ids('a', 'b', 'c'), {});
    await clock.settle();
    await one.cancelItem('b');
    await one.cancelItem('a');
    await clock.settle();
    expect(gate.inside).toEqual(['c']);
    await one.shutdown('force');
    await clock.settle();
    expect(await host.limiters.list()).toMatchObject([{ inUse: 0, waiting: 0 }]);
    expect(clock.pending).toBe(0);
  });

  it('lets those who run under it count for a limit that their stage gets meanwhile', async () => {
    const { clock, gate, host, pipeline } = world({ many: { concurrency: 9 } });
    const one = await pipeline('one', 'many');
    await one.feed(ids('a', 'b', 'c', 'd', 'e', 'f'), {});
    await clock.settle();
    await one.tune('S', { workers: 6, taskConcurrencyLimits: { gated: 2 } });
    await clock.settle();
    expect(gate.inside).toEqual(['a', 'b', 'c', 'd']);
    for (const id of ['a', 'b']) gate.open(id);
    await clock.settle();
    expect(gate.inside).toEqual(['c', 'd']);
    gate.open('c');
    await clock.settle();
    expect(gate.inside).toEqual(['d', 'e']);
    for (let i = 0; i < 3; i++) {
      gate.open();
      await clock.settle();
    }
    expect((await one.stats()).itemsProcessed).toBe(6);
    expect(await host.limiters.list()).toMatchObject([{ inUse: 0, waiting: 0 }]);
  });

  it('that cannot tell an item’s key fails that item, once', async () => {
    const { clock, pipeline } = world({ api: { concurrency: 1, key: '$error("none")' } }, () => 'done');
    const one = await pipeline('one', 'api', { taskAttempts: 5 }, 'call');
    const answer = (await clock.finish(one.run(ids('a'), {}))) as { results: { error: unknown }[] };
    expect(answer.results[0]?.error).toMatchObject({ type: 'LimiterKey', attempts: 1 });
  });

  it('goes with its items through a new definition that uses another one', async () => {
    const { clock, gate, host, pipeline } = world({ few: { concurrency: 1 }, many: { concurrency: 9 } });
    const one = await pipeline('one', 'few');
    await one.feed(ids('a', 'b', 'c'), {});
    await clock.settle();
    await host.put('one', { stages: [{ name: 'S', workers: 4, tasks: [{ task: 'gated', limiter: 'many' }] }] });
    await one.feed(ids('d'), {});
    await clock.settle();
    expect(gate.inside).toContain('d');
    for (let i = 0; i < 4; i++) {
      gate.open();
      await clock.settle();
    }
    expect((await one.stats()).itemsProcessed).toBe(4);
    expect(await host.limiters.list()).toMatchObject([
      { inUse: 0, waiting: 0 },
      { inUse: 0, waiting: 0 },
    ]);
  });

  it('is named by what exists', async () => {
    const { pipeline, host } = world({ few: { concurrency: 1 } });
    await expect(pipeline('one', 'fwe')).rejects.toMatchObject({
      code: 'unknown-limiter',
      errors: [{ path: '/stages/0/tasks/0/limiter', message: 'no limiter "fwe" is defined' }],
    });
    expect(() => host.limiters.define('few', { concurrency: 2 })).toThrow('two limiters have the name "few"');
    expect(() => host.limiters.define('bad', { concurrency: 2, key: '(' })).toThrow('/key is not a valid expression');
    await expect(host.limiters.change('fwe', { concurrency: 1 })).rejects.toMatchObject({ code: 'limiter-not-found' });
  });
});

describe('the time that is left under a limit of a rate', () => {
  const numbered = (count: number) => Array.from({ length: count }, (_, i) => i);

  it.each([
    [20, 6, 140],
    [20, 5, 200],
    [1, 2, 20],
    [100, 60, 300],
  ])('is known from the first items on, though a window is used up at once: %i in %i s, %i items', async (limit, perSeconds, count) => {
    const { clock, pipeline } = world({ slow: { limit, perSeconds } });
    const p = await pipeline('p', 'slow', {}, 'call');
    await p.feed(numbered(count), {});
    const ends = (Math.ceil(count / limit) - 1) * perSeconds;
    await clock.advance(3000);
    for (; clock.seconds < ends - perSeconds; await clock.advance(3000)) {
      const { etaSeconds } = await p.stats();
      const truth = ends - clock.seconds;
      // Fewer have ended than may be under way at once: nobody knows.
      if (etaSeconds === null && clock.seconds < 10) continue;
      // A window begins as a whole, so the truth comes in steps of one.
      expect(Math.abs((etaSeconds as number) - truth), `after ${clock.seconds} s`).toBeLessThanOrEqual(0.2 * truth + perSeconds);
    }
  });

  it('is unknown until a window is over where each item weighs something of its own', async () => {
    const { clock, pipeline } = world({ tokens: { limit: 10, perSeconds: 4, weight: 'value' } });
    const p = await pipeline('p', 'tokens', {}, 'call');
    await p.feed(Array(60).fill(2.5), {});
    await clock.advance(3000);
    expect((await p.stats()).etaSeconds).toBeNull();
    await clock.advance(17_000);
    const { etaSeconds, itemsInFlight } = await p.stats();
    expect(Math.abs((etaSeconds as number) - itemsInFlight)).toBeLessThanOrEqual(0.2 * itemsInFlight + 4);
  });

  it('counts the limits of the stage itself as well', async () => {
    const { clock, pipeline } = world({ wide: { concurrency: 100 } });
    const p = await pipeline('p', 'wide', { taskRateLimits: { call: { limit: 10, perSeconds: 10 } } }, 'call');
    await p.feed(numbered(60), {});
    await clock.advance(3000);
    expect(Math.abs(((await p.stats()).etaSeconds as number) - 47)).toBeLessThanOrEqual(10);
  });
});
