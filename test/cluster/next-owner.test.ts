/** What the owner after another one finds, and from where it goes on. */
import { describe, expect, it } from 'vitest';
import { unpackEntry } from '../../src/cluster/entry/entry.ts';
import { StoreTrouble, type Writes } from '../../src/engine/store.ts';
import { noWrites } from '../stores/store-writes.ts';
import { fact, kindsOf, owning, takingOver } from './owners.ts';
import { AT } from './replicas.ts';

describe('the next owner', () => {
  const running = (): Writes =>
    noWrites(1, {
      facts: [['counters', '{"lastSequence":7}']],
      items: {
        count: 1,
        cells: Float64Array.of(2, 7, 1, 1, 0, 70, 0, 1, 0, AT, -1, 3, AT, 1, 100),
        texts: ['1', null, null, null, null, null],
      },
    });

  it('after one that died finds what was running, once, by the epoch in which it was; ids that tasks may have seen are not given again', async () => {
    const { clock, server, store } = await owning();
    await store.write(running());
    const { store: next } = await takingOver(server, clock);
    expect(next.isUncertain).toBe(true);
    expect(next.marked).toEqual([
      { pipeline: 1, seq: 7, ord: 70 },
      { pipeline: 1, seq: 7 + 2 ** 18, ord: -1 },
    ]);
    expect(next.markedBy).toBe('epoch 1');
  });

  it('after one that left finds nothing running, and nothing is uncertain', async () => {
    const { clock, server, store } = await owning();
    await store.write(running());
    await store.leave();
    const { store: next } = await takingOver(server, clock);
    expect([next.isUncertain, next.marked, next.markedBy]).toEqual([false, [], null]);
  });

  it('leaves once, and writes nothing after that', async () => {
    const { server, link, store } = await owning();
    link.fates.push('ack lost');
    await expect(store.leave()).rejects.toThrow(StoreTrouble);
    await store.leave();
    await store.leave();
    await expect(store.write(fact('1'))).rejects.toThrow('this node has left');
    expect(kindsOf(server)).toEqual(['own', 'batch', 'leave']);
  });

  it('the first of a log is certain', async () => {
    const { store } = await owning();
    expect([store.isUncertain, store.marked, store.markedBy]).toEqual([false, [], null]);
  });

  it('goes on from the last instant of the log, when its clock is behind', async () => {
    const { clock, server, store } = await owning();
    await clock.advance(5000);
    await store.write(fact('1'));
    const last = clock.now();
    clock.setWallBy(-60_000);
    const { replica, store: next } = await takingOver(server, clock);
    await next.write(fact('2'));
    expect(replica.ownership.at).toBe(last);
    const instants = [...server.entries.values()].map((bytes) => unpackEntry(bytes).at).slice(3);
    expect(instants).toEqual([clock.now(), last]);
  });
});
