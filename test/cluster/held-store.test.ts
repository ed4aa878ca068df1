import { describe, expect, it } from 'vitest';
import { unpackEntry } from '../../src/cluster/entry/entry.ts';
import { StoreTrouble } from '../../src/engine/store.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { noWrites } from '../stores/store-writes.ts';
import { FaultLog } from './fault-log.ts';
import { Disk } from './ownership-simulation/disk.ts';
import { claim, storeOn } from './replicas.ts';

const trouble = new StoreTrouble('another node may own');

async function owned() {
  const clock = new VirtualClock();
  const server = new FaultLog(clock);
  const replica = new Disk().open();
  await claim(server.link(), replica);
  return { clock, server, store: storeOn(server.link(), replica, clock) };
}

const batchesIn = (server: FaultLog): number => [...server.entries.values()].filter((bytes) => unpackEntry(bytes).kind === 'batch').length;

describe('a store that its node holds', () => {
  it('tells so in the same turn, and when that is over', async () => {
    const { store } = await owned();
    const told: (string | undefined)[] = [];
    store.watch((reason) => told.push(reason?.reason));
    store.hold(trouble);
    expect(told).toEqual(['another node may own']);
    store.hold(null);
    expect(told).toEqual(['another node may own', undefined]);
  });

  it('tells whoever begins to watch it meanwhile', async () => {
    const { store } = await owned();
    store.hold(trouble);
    const told: unknown[] = [];
    store.watch((reason) => told.push(reason));
    expect(told).toEqual([trouble]);
  });

  it('goes on telling so when a beat was confirmed', async () => {
    const { store } = await owned();
    const told: unknown[] = [];
    store.watch((reason) => told.push(reason));
    store.hold(trouble);
    await store.beat();
    expect(told.at(-1)).toBe(trouble);
  });

  it('answers no write before that is over, and has it in the log once', async () => {
    const { store, server } = await owned();
    const writes = noWrites(1, { facts: [['id', '1']] });
    const written = store.write(writes);
    store.hold(trouble);
    await expect(written).rejects.toBe(trouble);
    await expect(store.write(writes)).rejects.toBe(trouble);
    store.hold(null);
    await store.write(writes);
    expect(batchesIn(server)).toBe(1);
    await store.write(noWrites(1, { facts: [['id', '2']] }));
    expect(batchesIn(server)).toBe(2);
  });
});
