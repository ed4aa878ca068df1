/** The hook `onDone` of a stored pipeline: called at least once for each end of a feed, whatever happens to the process, and not before it is stored. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { Hook, LocalHost } from '../../src/engine/index.ts';
import { ended, eventsOf, inTime, named } from '../conformance/world.ts';
import { livesOf, registryOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const pass = (value: unknown): unknown => value;
const definition = (more: object = { onDone: 'tell' }) => ({ id: 'p', stages: [{ name: 'A', workers: 2, tasks: ['pass'] }], ...more });
const never = (): Promise<void> => new Promise(() => undefined);
const feedEvents = (host: LocalHost) => eventsOf(host.get('p'), { types: new Set(['feed']) });

/** A registry whose hook `tell` notes its calls and then does as it is told. */
function telling(then: () => unknown = () => undefined) {
  const told: string[] = [];
  const tell: Hook = (id, view) => {
    const { completed, total } = view as { completed: number; total: number };
    told.push(`${id} ${completed}/${total}`);
    return then();
  };
  return { told, registry: registryOf({ pass }, { tell }), count: (count: number) => inTime(async () => told.length >= count) };
}

describe('a process that is killed', () => {
  it('while the hook runs calls it again at its next start, and no more once it has returned', async () => {
    const lives = livesOf({ pass });
    const first = telling(never);
    const killed = await lives.begin({ registry: first.registry });
    await killed.host.create(definition());
    await killed.host.get('p').feed(named('a', 'b'), { feedId: 'f' });
    await killed.host.get('p').feed([], { feedId: 'empty' });
    await first.count(2);
    const before = feedEvents(killed.host);
    await killed.crash();

    const second = telling();
    const next = await lives.begin({ registry: second.registry });
    await second.count(2);
    expect(second.told.toSorted()).toEqual(['empty 0/0', 'f 2/2']);
    // It is the event of then, under its number of then.
    expect(feedEvents(next.host)).toEqual(before);
    await next.host.get('p').feed([], { feedId: 'last' });
    await second.count(3);
    await next.stop();

    const third = telling();
    const last = await lives.begin({ registry: third.registry });
    await last.host.get('p').feed([], { feedId: 'now' });
    await third.count(1);
    expect(third.told).toEqual(['now 0/0']);
  });

  it('by an upload that broke off calls nothing until it has been continued', async () => {
    const lives = livesOf({ pass });
    const first = telling();
    const { host, crash } = await lives.begin({ registry: first.registry });
    await host.create(definition());
    const writer = await host.get('p').openFeed({ feedId: 'f' });
    await writer.push(named('a'));
    await ended(host.get('p'), 1);
    await crash();

    const second = telling();
    const next = await lives.begin({ registry: second.registry });
    await next.host.get('p').feed([], { feedId: 'other' });
    await second.count(1);
    await next.host.get('p').feed(named('a', 'b'), { feedId: 'f', append: true });
    await second.count(2);
    expect([first.told, second.told]).toEqual([[], ['other 0/0', 'f 2/2']]);
  });

  it('while a request appends to a feed whose call is owed calls it when that is done', async () => {
    const lives = livesOf({ pass });
    const { host, crash } = await lives.begin({ registry: telling(never).registry });
    await host.create(definition());
    await host.get('p').feed(named('a'), { feedId: 'f' });
    const writer = await host.get('p').openFeed({ feedId: 'f', append: true });
    await writer.push(named('b'));
    await ended(host.get('p'), 2);
    await crash();

    const second = telling();
    const next = await lives.begin({ registry: second.registry });
    await next.host.get('p').feed([], { feedId: 'other' });
    await second.count(1);
    await next.host.get('p').feed(named('a', 'b', 'c'), { feedId: 'f', append: true });
    await second.count(2);
    expect(second.told).toEqual(['other 0/0', 'f 3/3']);
  });

  it('at any of its writes has called it for each end of a feed, before or after', { timeout: 60_000 }, async () => {
    for (let writes = 1, isOver = false; !isOver; writes++) {
      const disk = new FailingStore();
      let left = Number.POSITIVE_INFINITY;
      const dying = Promise.withResolvers<boolean>();
      disk.onWrite = () => {
        if (left-- > 0) return;
        disk.fault = 'gone';
        dying.resolve(false);
      };
      const lives = livesOf({ pass }, {}, undefined, (store) => disk.of(store));
      const hook = telling();
      const mortal = await lives.begin({ registry: hook.registry });
      await mortal.host.create(definition());
      const p = mortal.host.get('p');
      left = writes;
      const work = async (): Promise<boolean> => {
        for (const feedId of ['x', 'y']) await p.feed(named(`${feedId}1`, `${feedId}2`), { feedId });
        await hook.count(2);
        // What comes after the calls is written, too.
        await inTime(async () => p.core.feeds.after(0).every(({ isOwed }) => !isOwed) && !p.core.keeper.isBehind);
        return true;
      };
      isOver = await Promise.race([work().catch(() => false), dying.promise]);
      await mortal.crash();
      disk.heal();
      left = Number.POSITIVE_INFINITY;

      const again = telling();
      const { host } = await lives.begin({ registry: again.registry });
      const { rows } = await host.get('p').feeds({ after: 0, limit: 10 });
      await inTime(async () => (await host.get('p').feeds({ after: 0, limit: 10 })).rows.every(({ done }) => done));
      const whole = rows.filter(({ uploadComplete }) => uploadComplete).map(({ feedId }) => `${feedId} 2/2`);
      await inTime(async () => whole.every((one) => hook.told.includes(one) || again.told.includes(one)));
      // Whatever the first process has told was stored by then.
      for (const one of hook.told) expect(whole, `after ${writes} writes`).toContain(one);
      if (isOver) expect([writes > 2, again.told]).toEqual([true, []]);
    }
  });
});

describe('a hook that ends each process', () => {
  it('is called apart from others, and given up before it has taken down as many as an item may', async () => {
    const lives = livesOf({ pass });
    const all: string[][] = [];
    for (let life = 0; life < 5; life++) {
      const { told, registry, count } = telling(never);
      const { host, crash } = await lives.begin({ registry });
      if (life === 0) {
        await host.create(definition());
        for (const feedId of ['f', 'g']) await host.get('p').feed([], { feedId });
      }
      // In the first two lives both are called side by side, then one alone, until it is given up and the other one has its turn.
      await count(life < 2 ? 2 : 1);
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      all.push(told.map((text) => text.slice(0, 1)).toSorted());
      await crash();
    }
    expect(all).toEqual([['f', 'g'], ['f', 'g'], ['f'], ['f'], ['g']]);
  });
});

describe('a hook', () => {
  it('is called, and the event is told, when the end of the last item is on disk', async () => {
    const disk = new FailingStore();
    const lives = livesOf({ pass }, {}, undefined, (store) => disk.of(store));
    const { told, registry, count } = telling();
    const { host } = await lives.begin({ registry });
    await host.create(definition());
    const p = host.get('p');
    await p.feed([], { feedId: 'first' });
    await count(1);
    await inTime(async () => !p.core.keeper.isBehind);
    disk.hangs = true;
    const fed = p.feed(named('a'), { feedId: 'f' });
    await inTime(async () => p.core.feeds.find('f')?.isTold === true);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect([told, feedEvents(host).length]).toEqual([['first 0/0'], 1]);
    disk.hangs = false;
    await fed;
    await count(2);
    expect([told, feedEvents(host).length]).toEqual([['first 0/0', 'f 1/1'], 2]);
  });

  it('that is no longer registered has its pipeline stand still with the reason, and is called when it is back', async () => {
    const lives = livesOf({ pass });
    const { host, crash } = await lives.begin({ registry: telling(never).registry });
    await host.create(definition());
    await host.get('p').feed(named('a'), { feedId: 'f' });
    await ended(host.get('p'), 1);
    await crash();

    const without = await lives.begin({ registry: registryOf({ pass }) });
    expect(without.host.storeHealth.unusable).toEqual([{ pipelineId: 'p', reason: '/onDone no hook "tell" is registered' }]);
    expect(await without.host.get('p').describe()).toMatchObject({ state: 'stopped', definition: { onDone: 'tell' } });
    await without.host.get('p').feed([], { feedId: 'meanwhile' });
    await without.stop();

    const { registry, told, count } = telling();
    await lives.begin({ registry });
    await count(2);
    expect(told.toSorted()).toEqual(['f 1/1', 'meanwhile 0/0']);
  });

  it('that the definition no longer has is not called, and one that it gets is called for what is done from then on', async () => {
    const lives = livesOf({ pass });
    const { host, crash } = await lives.begin({ registry: telling(never).registry });
    await host.create(definition());
    await host.get('p').feed([], { feedId: 'before' });
    await host.put('p', definition({}));
    await host.get('p').feed([], { feedId: 'between' });
    await crash();

    const { registry, told, count } = telling();
    const next = await lives.begin({ registry });
    await inTime(async () =>
      next.host
        .get('p')
        .core.feeds.after(0)
        .every(({ isOwed }) => !isOwed),
    );
    await next.host.put('p', definition());
    await next.host.get('p').feed([], { feedId: 'after' });
    await count(1);
    expect(told).toEqual(['after 0/0']);
  });
});

it('a feed of a file of an earlier version is done as it was, and is told only when it is done again', async () => {
  const lives = livesOf({ pass });
  const { host, stop } = await lives.begin({ registry: telling().registry });
  await host.create(definition({}));
  await host.get('p').feed(named('a'), { feedId: 'f' });
  await ended(host.get('p'), 1);
  await stop();
  const db = new Database(join(lives.file()));
  // What versions before knew of a feed: whether it was cancelled.
  db.exec('UPDATE feeds SET is_cancelled = is_cancelled & 1');
  db.close();

  const { registry, told, count } = telling();
  const next = await lives.begin({ registry });
  await next.host.put('p', definition());
  await next.host.get('p').cancelFeed('f');
  await next.host.get('p').feed([], { feedId: 'g' });
  await count(1);
  expect(told).toEqual(['g 0/0']);
});
