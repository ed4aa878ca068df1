import { describe, expect, it } from 'vitest';
import { unpackEntry } from '../../src/cluster/entry/entry.ts';
import { LEASE_MS, type Place, World } from './ownership-simulation/world.ts';

/** Real nodes on a simulated log, with one thing that happens to them. Whatever breaks a rule on the way fails the test, as in the simulation. */
async function world(nodes: number, seed = 1): Promise<World> {
  const made = new World(seed, nodes);
  for (const place of made.places) made.start(place);
  await made.advance(1000);
  return made;
}

function ownerOf({ places }: World): Place {
  return places.find(({ process }) => process?.node.role === 'owner') as Place;
}

const kinds = ({ server }: World): string[] => [...server.entries.values()].map((bytes) => unpackEntry(bytes).kind);
const ownsOf = (made: World): number => kinds(made).filter((kind) => kind === 'own').length;

describe('nodes on a log', () => {
  it('have one owner, whom all know, and the same file', async () => {
    const made = await world(3);
    await made.advance(10_000);
    const [name] = made.serving();
    expect(made.serving()).toHaveLength(1);
    expect(made.running.map(({ process }) => process.node.owner?.node)).toEqual([name, name, name]);
    expect(ownsOf(made)).toBe(1);
    expect(made.running.map(({ process }) => process.node.lagSeconds)).toEqual([0, 0, 0]);
  });

  it.each(['stalls', 'loses every question and answer'])('keep their owner when the log %s for 30 seconds', async (what) => {
    for (let seed = 1; seed <= 3; seed++) {
      const made = await world(3, seed);
      const { faults } = made;
      const owner = ownerOf(made);
      await made.advance(1000 * made.random());
      if (what === 'stalls') made.server.isStalled = true;
      else made.faults = { ...faults, lost: 2 };
      await made.advance(LEASE_MS);
      expect(made.serving()).toEqual([]);
      await made.advance(27_000 + 1000 * made.random());
      made.server.isStalled = false;
      made.faults = faults;
      await made.advance(0.7 * LEASE_MS);
      expect(made.serving()).toEqual([owner.name]);
      await made.advance(3 * LEASE_MS);
      expect(ownsOf(made), `seed ${seed}`).toBe(1);
    }
  });

  it('have another owner within the lease and a second when theirs is killed', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const made = await world(3, seed);
      const owner = ownerOf(made);
      await made.advance(3000 + 1000 * made.random());
      made.kill(owner);
      await made.advance(LEASE_MS + 1000);
      expect(made.serving(), `seed ${seed}`).toHaveLength(1);
    }
  });

  it('have another owner within half a second when theirs leaves', async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const made = await world(3, seed);
      const owner = ownerOf(made);
      await made.advance(1000 * made.random());
      made.leave(owner);
      await made.advance(500);
      expect(made.serving(), `seed ${seed}`).toHaveLength(1);
    }
  });

  it('answer nothing when they own and cannot reach the log, before another can own', async () => {
    const made = await world(2);
    const owner = ownerOf(made);
    (owner.process as { link: { isCut: boolean } }).link.isCut = true;
    await made.advance(LEASE_MS);
    expect(owner.process?.node.isServing).toBe(false);
    expect(owner.process?.node.trouble).toContain('another node may own');
    await made.advance(1000);
    expect(made.serving()).toHaveLength(1);
    expect(made.serving()).not.toContain(owner.name);
  });

  it('go on owning after they were stopped for far longer than the lease, when nobody else has claimed', async () => {
    const made = await world(1);
    const owner = ownerOf(made);
    await made.advance(2000);
    owner.process?.clock.stop();
    await made.advance(10 * LEASE_MS);
    owner.process?.clock.wake();
    await made.advance(1000);
    expect(made.serving()).toEqual([owner.name]);
    expect(ownsOf(made)).toBe(1);
  });

  it('begin nothing when they wake as an owner of the past', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const made = await world(2, seed);
      const owner = ownerOf(made);
      await made.advance(3000 * made.random());
      owner.process?.clock.stop();
      await made.advance(3 * LEASE_MS);
      expect(made.serving()).toHaveLength(1);
      owner.process?.clock.wake();
      await made.advance(LEASE_MS);
      expect([ownsOf(made), owner.process?.node.role], `seed ${seed}`).toEqual([2, 'follower']);
    }
  });

  it('append nothing to a log that has lost its end and grown again under another owner, to just the same length', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const made = await world(2, seed);
      const owner = ownerOf(made);
      await made.advance(3000);
      owner.process?.clock.stop();
      const { last } = made.server;
      made.loseTail(3);
      while (made.server.last < last) await made.advance(20);
      owner.process?.clock.wake();
      // Its chain is broken if the sleeper's entry comes next.
      await made.advance(3 * LEASE_MS);
      const entries = [...made.server.entries.entries()].sort(([a], [b]) => a - b).map(([, bytes]) => unpackEntry(bytes));
      for (const [i, entry] of entries.slice(1).entries()) expect(entry.prev, `seed ${seed}`).toBe(entries[i]?.token);
    }
  });

  it('say so, and try again at a measured pace, when the log is no chain any more', async () => {
    const made = await world(3);
    await made.advance(2000);
    const { server } = made;
    const before = server.last;
    // As when an append that was under way comes right after a lost tail.
    made.kill(ownerOf(made));
    server.entries.delete(before);
    server.entries.set(before, server.entries.get(before - 2) as Uint8Array);
    let reads = 0;
    const answer = server.answer.bind(server);
    server.answer = () => {
      reads++;
      return answer();
    };
    await made.advance(20_000);
    for (const { process } of made.running) expect(process.node.trouble).toContain('cannot be followed');
    expect(reads).toBeLessThan(2000);
    expect(made.serving()).toEqual([]);
  });

  it('never let the instants in the log go back, whoever owns', async () => {
    const made = await world(3, 5);
    for (let i = 0; i < 8; i++) {
      await made.advance(2000);
      const owner = ownerOf(made);
      made.leave(owner);
      await made.advance(1000);
      made.start(owner);
    }
    const instants = [...made.server.entries.values()].map((bytes) => unpackEntry(bytes).at);
    expect(instants).toEqual([...instants].sort((a, b) => a - b));
    expect(ownsOf(made)).toBeGreaterThan(4);
  });

  it('let another own when one cannot make a host', async () => {
    const made = await world(3);
    const owner = ownerOf(made);
    made.unable = 1;
    made.leave(owner);
    await made.advance(2000);
    made.unable = 0;
    await made.advance(LEASE_MS + 1000);
    expect(made.serving()).toHaveLength(1);
  });
});
