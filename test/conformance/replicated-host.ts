import { onTestFinished } from 'vitest';
import type { Log } from '../../src/cluster/log/log.ts';
import { ReplicatedStore } from '../../src/cluster/replicated-store.ts';
import { createLocalHost } from '../../src/engine/index.ts';
import { systemClock, systemPorts } from '../../src/engine/ports.ts';
import { FaultLog } from '../cluster/fault-log.ts';
import { claim, LEASE_MS, replicaAt } from '../cluster/replicas.ts';
import type { MakeHost } from './world.ts';

/** A log in memory, of entries that have so many bytes at most. */
export const inMemory = (maxBytes: number) => async (): Promise<Log> => new FaultLog(systemClock, maxBytes).link();

/** Hosts of a node that owns, each with a log and a file of its own. */
export const replicatedHosts =
  (openLog: () => Promise<Log>): MakeHost =>
  async ({ registry }) => {
    const log = await openLog();
    const replica = await replicaAt();
    const epoch = await claim(log, replica);
    const host = createLocalHost({
      registry,
      store: new ReplicatedStore({ log, replica, epoch, node: 'a', url: 'http://a', leaseMs: LEASE_MS, clock: systemClock }),
      ports: systemPorts,
      maxStages: 64,
      maxWorkersPerStage: 10_000,
      retentionMaxItems: 10_000,
      retentionMaxAgeSeconds: 3_600,
      backlogCapacity: 10_000,
      eventsKept: 50_000,
      hookTimeoutSeconds: 30,
    });
    onTestFinished(() => host.close());
    return host;
  };
