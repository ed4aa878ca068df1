/** What becomes of a run, and of the ids that its tasks were given, when the store fails while it is under way. */
import { describe, expect, it } from 'vitest';
import { systemPorts } from '../../src/engine/ports.ts';
import { named } from '../conformance/world.ts';
import { createGate } from '../engine/harness.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const FAULT = 'the disk reports an error';
const idempotency = { key: 'k', request: 'run', body: 'b' };

async function world(workers: number) {
  const gate = createGate();
  const clock = new VirtualClock();
  const disk = new FailingStore();
  /** The ids under which tasks had their effects. */
  const ids: string[] = [];
  const lives = livesOf(
    {
      gated: gate.task,
      noted: (value, { itemId }) => {
        ids.push(itemId);
        return value;
      },
    },
    { ports: { ...systemPorts, clock, uniqueId: countedIds() } },
    (work) => clock.finish(work),
    (store) => disk.of(store),
  );
  const life = await lives.begin();
  await clock.finish(life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['gated', 'noted'], workers }] }));
  return { gate, clock, disk, ids, lives, life, p: life.host.get('p') };
}

describe('a run as a stream', () => {
  it('that is refused when its items cannot be stored can be repeated under its key, and leaves nothing behind', async () => {
    const { gate, clock, disk, p } = await world(1);
    disk.fault = FAULT;
    const refused = clock.finish(p.openRun({ idempotency }, named('s')));
    await expect(refused).rejects.toMatchObject({ code: 'store-unavailable', details: { accepted: 1 } });
    expect(p.core.followers.size).toBe(0);
    disk.fault = null;
    await clock.advance(500);
    gate.open('s');
    const again = await clock.finish(p.openRun({ idempotency }, named('s')));
    expect(again.isReplay).toBe(true);
    expect(await clock.finish(again.read())).toMatchObject({ kind: 'results', results: [{ id: 's', value: 's' }] });
  });

  it('whose first push cannot be stored says how many items are accepted, and leaves nothing behind', async () => {
    const { clock, disk, p } = await world(1);
    const run = await clock.finish(p.openRun({ feedId: 'f' }));
    disk.fault = FAULT;
    await expect(clock.finish(run.push(named('s', 't')))).rejects.toMatchObject({ code: 'store-unavailable', details: { accepted: 2 } });
    await clock.finish(run.abort().catch(() => undefined));
    expect(p.core.followers.size).toBe(0);
  });

  it('whose time is up says what is stored of its feed, and can be repeated under its key', async () => {
    const { gate, clock, disk, p } = await world(1);
    const request = { idempotency, timeoutSeconds: 10, feedId: 'f' };
    const run = await clock.finish(p.openRun(request, named('s')));
    disk.fault = FAULT;
    gate.open('s');
    const reading = run.read();
    await clock.advance(10_000);
    expect(await reading).toMatchObject({ kind: 'pending', feed: { feedId: 'f', total: 1, completed: 0, done: false } });
    expect(p.core.followers.size).toBe(0);
    disk.fault = null;
    await clock.advance(500);
    const again = await clock.finish(p.openRun(request, named('s')));
    expect(await clock.finish(again.read())).toMatchObject({ kind: 'results', results: [{ id: 's', value: 's' }] });
  });

  it('that accepted nothing leaves nothing behind', async () => {
    const { clock, p } = await world(1);
    const run = await clock.finish(p.openRun({}));
    await clock.finish(run.abort());
    expect(p.core.followers.size).toBe(0);
  });
});

describe('a refusal', () => {
  it('of a run whose time is up says how many items are accepted all the same', async () => {
    const { gate, clock, disk, p } = await world(1);
    const refused = expect(p.run(named('a', 'b', 'c'), { timeoutSeconds: 1 })).rejects.toMatchObject({
      code: 'store-unavailable',
      details: { accepted: 3 },
    });
    await clock.settle();
    disk.fault = FAULT;
    gate.open('a');
    await clock.advance(1000);
    await refused;
  });

  it.each(['openFeed', 'openRun'] as const)('of %s because of what is not stored is not told', async (open) => {
    const { clock, disk, p } = await world(1);
    disk.fault = FAULT;
    const feeding = p.feed(named('a'), { feedId: 'f' }).catch(() => undefined);
    await expect(clock.finish(p[open]({ feedId: 'f' }))).rejects.toMatchObject({ code: 'store-unavailable' });
    await feeding;
  });
});

describe('an id that a task was given', () => {
  it('before its item was stored is nobody else’s after a crash', async () => {
    const { gate, clock, disk, ids, lives, life, p } = await world(1);
    await clock.finish(p.feed([0], {}));
    gate.open();
    await clock.settle();
    await clock.finish(p.pause());
    await clock.finish(p.feed([1, 2], {}));
    disk.hangs = true;
    // The highest id comes first, and the worker that had it goes on with others.
    const lost = [p.feed([3, 4], { priority: 0 }), p.resume()].map((promise) => promise.catch(() => undefined));
    for (let i = 0; i < 4; i++) {
      gate.open();
      await clock.settle();
    }
    expect(ids).toHaveLength(5);
    await life.crash();
    await Promise.all(lost);
    disk.hangs = false;

    // A start between two crashes keeps it, though nothing else happens.
    await (await lives.begin()).crash();
    const next = (await lives.begin()).host.get('p');
    const { ids: given = [] } = await clock.finish(next.feed([5, 6], {}));
    expect(given).toHaveLength(2);
    expect(given.filter((id) => ids.includes(id))).toEqual([]);
  });
});
