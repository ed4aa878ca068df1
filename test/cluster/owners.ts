import type { Deposed } from '../../src/cluster/appender.ts';
import { unpackEntry } from '../../src/cluster/entry/entry.ts';
import { follow } from '../../src/cluster/follower.ts';
import type { Replica } from '../../src/cluster/replica.ts';
import type { ReplicatedStore } from '../../src/cluster/replicated-store.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import type { Writes } from '../../src/engine/store.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { noWrites } from '../stores/store-writes.ts';
import { FaultLog } from './fault-log.ts';
import { claim, failingReplicaAt, replicaAt, storeOn } from './replicas.ts';

/** Sets a fact of pipeline 1. */
export const fact = (json: string, name = 'a'): Writes => noWrites(1, { facts: [[name, json]] });
export const created = (): Writes => ({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
export const factIn = (replica: Replica, name = 'a'): string | undefined => replica.store.pipelines()[0]?.facts[name];

/** How a promise ends, without waiting for it. */
export function fateOf(work: Promise<unknown>): { is: () => unknown } {
  let fate: unknown = 'pending';
  work.then(
    () => {
      fate = 'done';
    },
    (error: unknown) => {
      fate = error;
    },
  );
  return { is: () => fate };
}

/** A node that owns a log, with a pipeline. */
export async function owning(maxBytes?: number) {
  const clock = new VirtualClock();
  const server = new FaultLog(clock, maxBytes);
  const link = server.link();
  const { replica, disk } = await failingReplicaAt();
  await claim(link, replica);
  const depositions: Deposed[] = [];
  const store = storeOn(link, replica, clock, { deposed: (error) => depositions.push(error) });
  await store.write(created());
  return { clock, server, link, replica, disk, store, depositions };
}

/** Another node, which has followed and takes over. */
export async function takingOver(
  server: FaultLog,
  clock: VirtualClock,
  at = clock.now(),
): Promise<{ replica: Replica; store: ReplicatedStore }> {
  const replica = await replicaAt();
  const link = server.link();
  const following = await follow({ log: link, replica, logger: silentLogger, lost: () => undefined });
  while (replica.position < server.last) await new Promise((resolve) => setImmediate(resolve));
  await following.stop();
  await claim(link, replica, 'b', at);
  return { replica, store: storeOn(link, replica, clock, { node: 'b', url: 'http://b' }) };
}

export const kindsOf = (server: FaultLog): string[] => [...server.entries.values()].map((bytes) => unpackEntry(bytes).kind);
