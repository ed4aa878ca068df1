import { expect } from 'vitest';
import type { FeedRequest, Hook, PipelineRuntime, SluiceEvent } from '../../../src/engine/index.ts';
import type { DoneFeed } from '../../../src/schemas/feed.ts';
import { ALL, eventsOf, inTime, named, type Suite } from '../world.ts';

/** The calls of a hook `tell`: of which feed, and how many items had which end. */
function telling() {
  const told: { id: string; view: DoneFeed; info: unknown }[] = [];
  const tell: Hook = (id, view, info) => void told.push({ id, view: view as DoneFeed, info });
  const shown = (): string[] =>
    told.map(
      ({ id, view: { total, completed, failed, cancelled, duplicates } }) =>
        `${id} ${total} ${completed}/${failed}/${cancelled} ${duplicates}`,
    );
  return { told, tell, shown, count: (count: number) => inTime(async () => told.length >= count) };
}

const PASS = [{ name: 'A', tasks: ['pass'] }];
const GATED = [{ name: 'A', workers: 9, tasks: ['gated'] }];

async function cut(p: PipelineRuntime, request: FeedRequest, items: unknown[]): Promise<void> {
  const writer = await p.openFeed(request);
  await writer.push(items);
  await writer.abort();
}

function feedsOf(p: PipelineRuntime): Extract<SluiceEvent, { type: 'feed' }>['data'][] {
  return eventsOf(p, { types: new Set(['feed']) }).flatMap(({ type, data }) => (type === 'feed' ? [data] : []));
}

/** What a feed's end tells: an event, and the hook `onDone` of its pipeline. */
export function done({ test, world }: Suite): void {
  test('is called once with the counts of a feed and where its results are, when its last item has ended', async () => {
    const { told, tell, count } = telling();
    const { pipeline, gate, held } = await world({ hooks: { tell } });
    const p = await pipeline(GATED, { onDone: 'tell' });
    await p.feed(named('a', 'b', 'c'), { feedId: 'a/b' });
    await held(3);
    gate.open('a');
    gate.open('b');
    await p.waitForItems({ itemIds: ['a', 'b'], returnWhen: 'ALL_COMPLETED' });
    expect(told).toEqual([]);
    gate.open('c');
    await count(1);
    const view = await p.feedView('a/b');
    expect(told).toEqual([
      {
        id: 'a/b',
        view: { ...view, pipeline: 'p', results: '/pipelines/p/feeds/a%2Fb/results', throughputPerSecond: expect.any(Number) },
        info: { feedId: 'a/b', stage: '', sequenceId: 0, attempts: 0, metadata: {} },
      },
    ]);
    expect(view).toMatchObject({ done: true, uploadComplete: true, total: 3, completed: 3 });
  });

  test('comes after the event, which follows the result of the last item and has the same counts', async () => {
    let seen: SluiceEvent[] = [];
    let p: PipelineRuntime | undefined;
    const hook = (): void => {
      seen = eventsOf(p as PipelineRuntime);
    };
    const { pipeline } = await world({ hooks: { hook } });
    p = await pipeline([{ name: 'A', tasks: ['refused'] }], { onDone: 'hook' });
    await p.run(named('x', 'y'), { feedId: 'f' });
    await inTime(async () => seen.length > 0);
    expect(seen.slice(-2).map(({ type }) => type)).toEqual(['result', 'feed']);
    const { createdAt } = await p.feedView('f');
    expect(feedsOf(p)).toEqual([
      {
        ...{ pipelineId: 'p', feedId: 'f', createdAt, total: 2, completed: 0, failed: 2, cancelled: 0, duplicates: 0 },
        ...{ uploadComplete: true, done: true, results: '/pipelines/p/feeds/f/results', timestamp: expect.any(String) },
      },
    ]);
  });

  test('is called for a feed without items, and for one of known ids alone', async () => {
    const { tell, shown, count } = telling();
    const { pipeline } = await world({ hooks: { tell } });
    const p = await pipeline(PASS, { onDone: 'tell' });
    await p.feed([], { feedId: 'none' });
    await count(1);
    await p.run(named('a', 'b'), { feedId: 'run' });
    await count(2);
    await p.feed(named('a', 'b'), { feedId: 'known' });
    await count(3);
    const writer = await p.openFeed({ feedId: 'pushed' });
    await writer.end();
    await count(4);
    expect(shown()).toEqual(['none 0 0/0/0 0', 'run 2 2/0/0 0', 'known 0 0/0/0 2', 'pushed 0 0/0/0 0']);
    expect(feedsOf(p).map(({ feedId }) => feedId)).toEqual(['none', 'run', 'known', 'pushed']);
  });

  test('is called for a streamed run, and for a feed whose items end before its upload', async () => {
    const { tell, shown, count } = telling();
    const { pipeline } = await world({ hooks: { tell } });
    const p = await pipeline(PASS, { onDone: 'tell' });
    const run = await p.openRun({ feedId: 'run' });
    await run.push(named('a'));
    for (let is = ''; is !== 'results'; ) is = (await run.read()).kind;
    expect(feedsOf(p)).toEqual([]);
    await run.push(named('b'));
    await run.end();
    for (let is = ''; is !== 'done'; ) is = (await run.read()).kind;
    await count(1);
    const writer = await p.openFeed({ feedId: 'slow' });
    await writer.push(named('c'));
    await p.waitForItems({ itemIds: ['c'], returnWhen: 'ALL_COMPLETED' });
    expect(shown()).toHaveLength(1);
    await writer.end();
    await count(2);
    expect(shown()).toEqual(['run 2 2/0/0 0', 'slow 1 1/0/0 0']);
  });

  test('is called for a cancelled feed when its items have ended, also when it was still being sent or had broken off', async () => {
    const { told, tell, shown, count } = telling();
    const { pipeline, gate, held } = await world({ hooks: { tell } });
    const p = await pipeline(GATED, { onDone: 'tell' });
    await p.feed(named('a', 'b'), { feedId: 'whole' });
    await held(2);
    gate.open('a');
    await p.waitForItems({ itemIds: ['a'], returnWhen: 'ALL_COMPLETED' });
    await p.cancelFeed('whole');
    await count(1);
    const writer = await p.openFeed({ feedId: 'sent' });
    await writer.push(named('c'));
    await held(1);
    await p.cancelFeed('sent');
    expect(told).toHaveLength(1);
    await expect(writer.push(named('d'))).rejects.toMatchObject({ code: 'feed-cancelled' });
    await writer.abort();
    await count(2);
    await cut(p, { feedId: 'cut' }, named('e'));
    await held(1);
    gate.open('e');
    await p.waitForItems({ itemIds: ['e'], returnWhen: 'ALL_COMPLETED' });
    await p.cancelFeed('cut');
    await count(3);
    // It was told already.
    await p.cancelFeed('cut');
    await p.cancelFeed('whole');
    await p.feed([], { feedId: 'last' });
    await count(4);
    expect(shown()).toEqual(['whole 2 1/0/1 0', 'sent 1 0/0/1 0', 'cut 1 1/0/0 0', 'last 0 0/0/0 0']);
    expect(told.map(({ view }) => view.uploadComplete)).toEqual([true, false, false, true]);
  });

  test('is not called for an upload that broke off, until it is continued and done', async () => {
    const { tell, shown, count } = telling();
    const { pipeline } = await world({ hooks: { tell } });
    const p = await pipeline(PASS, { onDone: 'tell' });
    await cut(p, { feedId: 'f' }, named('a'));
    await cut(p, { feedId: 'f', append: true }, named('b'));
    await cut(p, { feedId: 'nothing' }, []);
    await p.waitForItems({ itemIds: ['a', 'b'], returnWhen: 'ALL_COMPLETED' });
    expect(await p.feedView('f')).toMatchObject({ done: true, uploadComplete: false });
    await p.feed([], { feedId: 'other' });
    await count(1);
    await p.feed(named('a', 'b', 'c'), { feedId: 'f', append: true });
    await count(2);
    expect(shown()).toEqual(['other 0 0/0/0 0', 'f 3 3/0/0 2']);
    expect(feedsOf(p).map(({ feedId, total }) => [feedId, total])).toEqual([
      ['other', 0],
      ['f', 3],
    ]);
  });

  test('is called again when a feed has gone on and is done again, but not for a request that appends nothing', async () => {
    const { tell, shown, count } = telling();
    let isBroken = true;
    const { pipeline } = await world({
      hooks: { tell },
      tasks: {
        mended: (value, ctx) => {
          if (isBroken) throw ctx.permanent('not yet');
          return value;
        },
      },
    });
    const p = await pipeline([{ name: 'A', tasks: ['mended'] }], { onDone: 'tell' });
    await p.feed(named('a', 'b'), { feedId: 'f' });
    await count(1);
    isBroken = false;
    await p.retryItem('a');
    await count(2);
    await p.feed(named('c'), { feedId: 'f', append: true });
    await count(3);
    await cut(p, { feedId: 'f', append: true }, []);
    await p.feed([], { feedId: 'f', append: true });
    await p.feed([], { feedId: 'last' });
    await count(4);
    expect(shown()).toEqual(['f 2 0/2/0 0', 'f 2 1/1/0 0', 'f 3 2/1/0 0', 'last 0 0/0/0 0']);
    expect(feedsOf(p).map(({ completed, failed }) => [completed, failed])).toEqual([
      [0, 2],
      [1, 1],
      [2, 1],
      [0, 0],
    ]);
  });

  test('changes nothing when it throws, rejects or is gone from the definition', async () => {
    const { tell, shown, count } = telling();
    const calls: string[] = [];
    const { host, pipeline } = await world({
      hooks: {
        tell,
        throws: (id) => {
          calls.push(id);
          throw new Error('no');
        },
        rejects: (id) => {
          calls.push(id);
          return Promise.reject(new Error('no'));
        },
      },
    });
    const p = await pipeline(PASS, { onDone: 'throws' });
    await p.run(named('a'), { feedId: 'one' });
    await inTime(async () => calls.length === 1);
    await host.put('p', { id: 'p', stages: PASS, onDone: 'rejects' });
    await p.run(named('b'), { feedId: 'two' });
    await inTime(async () => calls.length === 2);
    await host.put('p', { id: 'p', stages: PASS });
    await p.run(named('c'), { feedId: 'three' });
    await host.put('p', { id: 'p', stages: PASS, onDone: 'tell' });
    await p.run(named('d'), { feedId: 'four' });
    await count(1);
    expect([calls, shown()]).toEqual([['one', 'two'], ['four 1 1/0/0 0']]);
    expect((await p.feeds({ after: 0, limit: 10 })).rows.map((feed) => feed.done && feed.completed)).toEqual([1, 1, 1, 1]);
    expect(feedsOf(p).map(({ feedId }) => feedId)).toEqual(['one', 'two', 'three', 'four']);
  });

  test('names a hook that is registered, or the definition is refused', async () => {
    const { host } = await world({ hooks: { tell: () => undefined } });
    for (const [onDone, code, path] of [
      ['nowhere', 'unknown-task', '/onDone'],
      ['pass', 'unknown-task', '/onDone'],
      [{ task: 'nowhere' }, 'unknown-task', '/onDone/task'],
      [{ task: 'tell', with: { to: '{{ ' } }, 'invalid-params', '/onDone/with/to'],
      [7, 'invalid-input', '/onDone'],
      [null, 'invalid-input', '/onDone'],
      ['', 'invalid-input', '/onDone'],
    ] as const) {
      const refused = host.create({ id: 'p', stages: PASS, onDone });
      await expect(refused, JSON.stringify(onDone)).rejects.toMatchObject({ code, errors: [{ path }] });
    }
    await host.create({ id: 'p', stages: PASS, onDone: 'tell' });
    const { definition } = await host.get('p').describe();
    expect(definition.onDone).toBe('tell');
  });

  test('events of feeds are left out for who asks for items or statuses, and selected by the feed', async () => {
    const { pipeline } = await world();
    const p = await pipeline(PASS);
    await p.run(named('a'), { feedId: 'one' });
    await p.run(named('b'), { feedId: 'two' });
    const of = (filter: object) => eventsOf(p, { ...ALL, ...filter }).flatMap(({ type, data }) => (type === 'feed' ? [data.feedId] : []));
    expect(of({})).toEqual(['one', 'two']);
    expect(of({ feedId: new Set(['two']) })).toEqual(['two']);
    expect(of({ stage: new Set(['A']) })).toEqual(['one', 'two']);
    expect(of({ itemId: new Set(['a']) })).toEqual([]);
    expect(of({ status: new Set(['completed']) })).toEqual([]);
    expect(of({ types: new Set(['result']) })).toEqual([]);
  });

  test('is waited for when its pipeline is drained and removed', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const slow: Hook = () => {
      begin();
      return over;
    };
    const { host, pipeline } = await world({ hooks: { slow } });
    const p = await pipeline(PASS, { onDone: 'slow' });
    await p.run(named('a'), {});
    await begun;
    let isGone = false;
    const removed = host.remove('p', 'drain').then(() => {
      isGone = true;
    });
    await inTime(async () => (await host.list()).every(({ state }) => state === 'draining' || state === 'stopped'));
    expect(isGone).toBe(false);
    end();
    await removed;
    expect(await host.list()).toEqual([]);
  });
}
