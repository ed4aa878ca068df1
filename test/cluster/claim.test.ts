import { describe, expect, it } from 'vitest';
import { packEntry } from '../../src/cluster/entry/entry.ts';
import { NO_TOKEN } from '../../src/cluster/log/token.ts';
import { Claim } from '../../src/cluster/node/claim.ts';
import { LocalFile } from '../../src/cluster/node/local-file.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import { FaultLog } from './fault-log.ts';
import { Disk } from './ownership-simulation/disk.ts';

const node = { name: 'a', url: 'http://a' };

/** A claim in an empty log. `asked` is called before each append of it reaches the log. */
async function claiming(asked: (server: FaultLog, bytes: Uint8Array) => void = () => undefined, random = seededRandom(1)) {
  const clock = new VirtualClock();
  const server = new FaultLog(clock);
  const link = server.link();
  const { append } = link;
  link.append = (after, bytes) => {
    asked(server, bytes);
    return append.call(link, after, bytes);
  };
  const disk = new Disk();
  const presence = { announce: async () => undefined, list: async () => [], rivals: async () => [], leave: async () => undefined };
  const snapshots = { put: async () => undefined, newest: async () => null };
  const backbone = { log: link, snapshots, presence, close: async () => undefined };
  const options = { backbone, file: 'a', clock, logger: silentLogger };
  const file = new LocalFile(
    {
      ...options,
      openReplica: async () => disk.open(),
      removeReplica: async () => disk.remove(),
      setReplicaAside: async () => disk.setAside(),
    },
    900,
  );
  await file.open();
  const claimAfter = (after: number): Claim => new Claim({ clock, timeoutMs: 900, file, after, node, logger: silentLogger, random });
  return { clock, random, server, link, file, claim: claimAfter(0), claimAfter };
}

describe('a claim', () => {
  it('is in the log and in the file when it is accepted', async () => {
    const { claim, server, file, clock } = await claiming();
    expect(await claim.attempt()).toEqual({ type: 'claimed', sentAt: clock.monotonic() });
    expect([server.last, file.replica.position, file.replica.ownership.node]).toEqual([1, 1, 'a']);
  });

  it.each(['ack lost', 'fails'] as const)('is tried again with the same bytes when its append %s', async (fate) => {
    const { claim, server, link } = await claiming();
    link.fates.push(fate);
    expect(await claim.attempt()).toEqual({ type: 'undecided' });
    expect(await claim.attempt()).toMatchObject({ type: 'claimed' });
    expect(server.last).toBe(1);
    expect(link.asked[0]?.bytes).toEqual(link.asked[1]?.bytes);
  });

  it('is refused when another node was quicker', async () => {
    const { claim, server, file } = await claiming((log) => {
      log.put(0, packEntry({ kind: 'own', node: 'b', url: 'http://b', at: 0, nonce: 1, prev: NO_TOKEN }));
    });
    expect(await claim.attempt()).toEqual({ type: 'refused' });
    expect([server.last, file.replica.position]).toEqual([1, 0]);
  });

  it('never has the bytes of another one, of the same name in the same place and instant', async () => {
    // As of a node that is ended and started while its clock stands still.
    const before = await claiming();
    await before.claim.attempt();
    const { claim } = await claiming((log) => log.put(0, before.link.asked[0]?.bytes as Uint8Array), before.random);
    expect(await claim.attempt()).toEqual({ type: 'refused' });
  });

  it('counts its lease from before any entry like it can have come', async () => {
    let cameAt = Number.NaN;
    const { claim, clock } = await claiming((log, bytes) => {
      if (log.last > 0) return;
      // It is there, and nobody hears of that for long.
      cameAt = log.clock.monotonic();
      log.put(0, bytes);
      clock.block(2000);
    });
    const answer = await claim.attempt();
    expect(answer.type).toBe('claimed');
    expect((answer as { sentAt: number }).sentAt).toBeLessThanOrEqual(cameAt);
  });

  it('is refused by the log when the file has what the log has lost', async () => {
    const { claim, claimAfter, server } = await claiming();
    await claim.attempt();
    server.loseTail(1);
    expect(await claimAfter(1).attempt()).toEqual({ type: 'apart' });
    expect(server.last).toBe(0);
  });

  it('is refused by the log when that has grown again as far as the file', async () => {
    const { claim, claimAfter, server } = await claiming();
    await claim.attempt();
    server.loseTail(1);
    server.put(0, packEntry({ kind: 'own', node: 'b', url: 'http://b', at: 0, nonce: 1, prev: NO_TOKEN }));
    expect(await claimAfter(1).attempt()).toEqual({ type: 'apart' });
    expect(server.last).toBe(1);
  });
});
