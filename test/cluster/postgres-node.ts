/** A host that owns what PostgreSQL has, as a node does it: its file from a snapshot and the log, an ownership, the replicated store. */
import { onTestFinished } from 'vitest';
import { unpackEntry } from '../../src/cluster/entry/entry.ts';
import { openPostgres } from '../../src/cluster/postgres/index.ts';
import { type Replica, replicaOf } from '../../src/cluster/replica.ts';
import { openToFollow } from '../../src/cluster/restoring.ts';
import { createLocalHost, type LocalHost, type TaskHandler } from '../../src/engine/index.ts';
import { silentLogger, systemClock, systemPorts } from '../../src/engine/ports.ts';
import { removeSqliteReplica, setSqliteReplicaAside } from '../../src/stores/sqlite/lost.ts';
import { openSqliteReplica } from '../../src/stores/sqlite/replica.ts';
import { HOST, registryOf } from '../stores/durable-host.ts';
import { claim, newFile, storeOn } from './replicas.ts';

export interface PostgresNode {
  readonly host: LocalHost;
  readonly replica: Replica;
  /** It ends as a service does when it is asked to. */
  stop(): Promise<void>;
}

export async function ownOnPostgres(url: string, tasks: Record<string, TaskHandler>, file = newFile()): Promise<PostgresNode> {
  const { backbone } = await openPostgres({ url, logger: silentLogger });
  const { log, snapshots } = backbone;
  const replica = await openToFollow({
    ...{ log, snapshots, file, logger: silentLogger },
    openReplica: async (path) => replicaOf(await openSqliteReplica({ file: path, inProcess: true })),
    removeReplica: async (path) => removeSqliteReplica(path),
    setReplicaAside: async (path, position) => setSqliteReplicaAside(path, position),
  });
  for (let { last } = await log.ends(); replica.position < last; ) {
    const entry = await log.read(replica.position + 1);
    if (entry === undefined) throw new Error(`Entry ${replica.position + 1} of ${last} is missing`);
    await replica.apply(entry, unpackEntry(entry.bytes));
    ({ last } = await log.ends());
  }
  await claim(log, replica, 'a', Date.now());
  const store = storeOn(log, replica, systemClock);
  const host = createLocalHost({ ...HOST, registry: registryOf(tasks), ports: systemPorts, store });
  await host.recover(new Set());
  host.goOn();
  let ending: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    await host.shutdown('graceful', 10);
    await store.leave();
    await host.close();
    await replica.close();
    await backbone.close();
  };
  const stop = (): Promise<void> => {
    ending ??= end();
    return ending;
  };
  onTestFinished(stop);
  return { host, replica, stop };
}
