import { describe, expect, it } from 'vitest';
import { type ClusterNode, createClusterNode } from '../../src/cluster/node.ts';
import { collectingLogger, type LogLine } from '../engine/harness.ts';
import { seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import { MemoryLogServer } from './memory-log.ts';
import { Disk } from './ownership-simulation/disk.ts';

const LEASE_MS = 10_000;
const EVERY_MS = 2000;
const INFO = { role: 'follower', position: 0, hands: 0, version: '0.1.0', format: 1 } as const;

class World {
  readonly clock = new VirtualClock();
  readonly server = new MemoryLogServer(() => this.clock.monotonic());
  readonly logs: Record<string, LogLine[]> = {};

  /** A process whose announcements stand for all of it: it may be of any version. */
  process(name: string, url: string) {
    const { presence } = this.server.open();
    let timer: unknown;
    const announce = (): Promise<void> => presence.announce({ ...INFO, name, url });
    const live = async (): Promise<void> => {
      timer = this.clock.setTimer(() => void live(), EVERY_MS);
      await announce();
    };
    const kill = (): void => this.clock.clearTimer(timer);
    const leave = async (): Promise<void> => {
      kill();
      await presence.leave(name);
    };
    return { live, announce, kill, leave };
  }

  node(name: string, url: string): ClusterNode {
    const disk = new Disk();
    const logs: LogLine[] = [];
    this.logs[name] = logs;
    return createClusterNode({
      ...{ name, url, version: '1.2.3', backbone: this.server.open(), file: name, leaseMs: LEASE_MS, clock: this.clock },
      ...{ random: seededRandom(1), logger: collectingLogger(logs) },
      openReplica: async () => disk.open(),
      removeReplica: async () => disk.remove(),
      setReplicaAside: async () => disk.setAside(),
      own: async () => ({ depose: async () => undefined }),
    });
  }

  warnings(name: string): string[] {
    return (this.logs[name] ?? []).flatMap(({ level, message }) => (level === 'warn' ? [message] : []));
  }

  /** Whose address the list has under a name. */
  listed(name: string): string | undefined {
    return this.server.nodes.get(name)?.url;
  }
}

const TAKEN = [
  ['name', 'n2', 'http://other:1', 'another process that is alive has the NODE_NAME "n2" too: one of the two needs another'],
  ['name and address', 'n2', 'http://n2:1', 'another process that is alive has the NODE_NAME "n2" too: one of the two needs another'],
  ['address', 'n1', 'http://n2:1', 'the node "n1", which is alive, gives the NODE_URL of this one as its own: one of the two is wrong'],
] as const;

describe.each(TAKEN)('a node whose %s another process has', (_, name, url, fault) => {
  it('takes no part while that is alive, says why, and takes part when it is gone', async () => {
    const world = new World();
    const elder = world.process(name, url);
    await elder.live();
    const node = world.node('n2', 'http://n2:1');
    const told: (string | null)[] = [];
    node.watch(() => told.push(node.trouble));
    const begun = node.start();
    await world.clock.advance(60_000);
    expect(node.trouble).toBe(`this node takes no part: ${fault}`);
    expect(world.warnings('n2')).toEqual([fault]);
    expect([world.server.last, world.listed(name), node.role, told.at(-1)]).toEqual([0, url, 'follower', node.trouble]);

    elder.kill();
    await world.clock.finish(begun);
    await world.clock.advance(LEASE_MS);
    expect([node.trouble, node.isServing, world.listed('n2')]).toEqual([null, true, 'http://n2:1']);
    await world.clock.finish(node.leave());
    expect(world.listed('n2')).toBeUndefined();
  });

  it('waits no more than five seconds for one that was killed, without a warning, whatever that still had under way', async () => {
    const world = new World();
    const dead = world.process(name, url);
    await dead.announce();
    const node = world.node('n2', 'http://n2:1');
    let hasBegun = false;
    const begun = node.start().then(() => {
      hasBegun = true;
    });
    await world.clock.advance(1500);
    expect([hasBegun, node.trouble]).toEqual([false, expect.stringContaining('turns out to be gone')]);
    await dead.announce();
    await world.clock.advance(4000);
    expect(hasBegun).toBe(false);
    await world.clock.advance(2000);
    await begun;
    await world.clock.advance(EVERY_MS * 3);
    expect([node.trouble, world.warnings('n2')]).toEqual([null, []]);
    await world.clock.finish(node.leave());
  });

  it('goes as soon as it is asked to, and leaves the row of the other', async () => {
    const world = new World();
    const elder = world.process(name, url);
    await elder.live();
    const node = world.node('n2', 'http://n2:1');
    const begun = node.start();
    await world.clock.advance(10_000);
    await node.leave();
    await begun;
    expect([world.server.last, world.listed(name)]).toEqual([0, url]);
    elder.kill();
  });

  it('says so too when the other comes later, as one that was stopped does, until it leaves', async () => {
    const world = new World();
    const node = world.node('n2', 'http://n2:1');
    await world.clock.finish(node.start());
    await world.clock.advance(LEASE_MS);
    const other = world.process(name, url);
    await world.clock.advance(700);
    await other.live();
    await world.clock.advance(EVERY_MS * 5);
    expect([node.trouble, world.warnings('n2'), node.isServing]).toEqual([fault, [fault], true]);
    await other.leave();
    await world.clock.advance(10_000);
    expect([node.trouble, world.warnings('n2')]).toEqual([null, [fault]]);
    await world.clock.finish(node.leave());
  });
});

it('a node of a name and an address of its own begins at once, beside others and after itself', async () => {
  const world = new World();
  const others = [world.process('n1', 'http://n1:1'), world.process('n3', 'http://n3:1')];
  for (const other of others) await other.live();
  for (let i = 0; i < 2; i++) {
    const node = world.node('n2', 'http://n2:1');
    const since = world.clock.seconds;
    await world.clock.finish(node.start());
    expect(world.clock.seconds - since).toBe(0);
    await world.clock.advance(LEASE_MS * 3);
    expect([node.trouble, world.warnings('n2')]).toEqual([null, []]);
    await world.clock.finish(node.leave());
  }
  for (const other of others) other.kill();
});

it('a list that does not answer keeps no node from taking part', async () => {
  const world = new World();
  await world.process('n2', 'http://n2:1').announce();
  const { open } = world.server;
  world.server.open = () => {
    const backbone = open.call(world.server);
    backbone.presence.rivals = () => new Promise(() => undefined);
    return backbone;
  };
  const node = world.node('n2', 'http://n2:1');
  await world.clock.finish(node.start());
  await world.clock.advance(LEASE_MS);
  expect([node.trouble, node.isServing]).toEqual([null, true]);
  await world.clock.finish(node.leave());
});
