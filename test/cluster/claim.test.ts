import { describe, expect, it } from 'vitest';
import { NO_TOKEN, packEntry } from '../../src/cluster/entry/entry.ts';
import { Claim } from '../../src/cluster/node/claim.ts';
import { LocalFile } from '../../src/cluster/node/local-file.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { FaultLog } from './fault-log.ts';
import { Disk } from './ownership-simulation/disk.ts';

const node = { name: 'a', url: 'http://a' };

/** A claim in an empty log. `looked` is called after each look of it at the ends of the log. */
async function claiming(looked: (times: number, server: FaultLog, clock: VirtualClock) => void = () => undefined) {
  const clock = new VirtualClock();
  const server = new FaultLog(clock);
  const link = server.link();
  const { ends } = link;
  let times = 0;
  link.ends = async () => {
    const answer = await ends.call(link);
    looked(++times, server, clock);
    return answer;
  };
  const disk = new Disk();
  const presence = { announce: async () => undefined, list: async () => [], leave: async () => undefined };
  const snapshots = { put: async () => undefined, newest: async () => null };
  const backbone = { log: link, snapshots, presence, close: async () => undefined };
  const options = { backbone, file: 'a', clock, logger: silentLogger };
  const file = new LocalFile({ ...options, openReplica: async () => disk.open(), removeReplica: async () => disk.remove() }, 900);
  await file.open();
  const claim = new Claim({ clock, timeoutMs: 900, file, after: 0, node, logger: silentLogger });
  return { clock, server, link, file, claim };
}

const ownAt = (at: number): Uint8Array => packEntry({ kind: 'own', node: node.name, url: node.url, at, prev: NO_TOKEN });

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
    const { claim, server, file } = await claiming((times, log) => {
      if (times === 2) log.put(0, packEntry({ kind: 'own', node: 'b', url: 'http://b', at: 0, prev: NO_TOKEN }));
    });
    expect(await claim.attempt()).toEqual({ type: 'refused' });
    expect([server.last, file.replica.position]).toEqual([1, 0]);
  });

  it('does not take the claim of the process before, of the same name and instant, for this one', async () => {
    const { claim } = await claiming((times, log, clock) => {
      if (times === 1) log.put(0, ownAt(clock.now()));
    });
    expect(await claim.attempt()).toEqual({ type: 'refused' });
  });

  it('counts its lease from before any entry like it can have come', async () => {
    let cameAt = Number.NaN;
    const { claim } = await claiming((times, log, clock) => {
      if (times !== 2) return;
      cameAt = clock.monotonic();
      log.put(0, ownAt(clock.now()));
      clock.block(2000);
      // So that it packs the same bytes.
      clock.setWallBy(-2000);
    });
    const answer = await claim.attempt();
    expect(answer.type).toBe('claimed');
    expect((answer as { sentAt: number }).sentAt).toBeLessThanOrEqual(cameAt);
  });

  it('is not made with a file that has what the log has lost', async () => {
    const { claim, server, file } = await claiming();
    await claim.attempt();
    server.loseTail(1);
    const again = new Claim({ clock: server.clock, timeoutMs: 900, file, after: 1, node, logger: silentLogger });
    expect(await again.attempt()).toEqual({ type: 'apart' });
    expect(server.last).toBe(0);
  });
});
