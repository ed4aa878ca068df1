import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Deposed } from '../cluster/appender.ts';
import { createClusterNode } from '../cluster/node.ts';
import { openPostgres, readPostgresUrl, UnusableServer } from '../cluster/postgres/index.ts';
import { replicaOf } from '../cluster/replica.ts';
import { type ClusterConfig, type Config, ConfigError } from '../config.ts';
import { type Logger, systemClock } from '../engine/ports.ts';
import type { Loaded } from '../loader/definitions.ts';
import { StoreOpening } from '../process/store-opening.ts';
import { StoreFileError } from '../stores/sqlite/file.ts';
import { removeSqliteReplica, setSqliteReplicaAside } from '../stores/sqlite/lost.ts';
import { openSqliteReplica } from '../stores/sqlite/replica.ts';
import { VERSION } from '../version.ts';
import { Clustered, type NodeOfCluster, type NodeParts } from './clustered.ts';
import type { Hosts } from './hosts.ts';

/** The node's own file in `DATA_DIR`. */
const FILE = 'node.db';

export interface JoiningDeps {
  config: Config;
  cluster: ClusterConfig;
  hosts: Hosts;
  loaded: Loaded;
  /** Ends the process for a fault of the store. */
  fail: (error: unknown) => void;
  logger: Logger;
}

/** Makes the node of a cluster whose log is in PostgreSQL. It takes part when it is started. Throws a ConfigError for an address or a folder that cannot be used. */
export async function joinCluster({ config, cluster, hosts, loaded, fail, logger }: JoiningDeps): Promise<Clustered> {
  await usable(() => readPostgresUrl(config.storeUrl));
  makeFolder(cluster.dataDir);
  return new Clustered({
    config: cluster,
    listensOn: config.host,
    kind: 'postgresql',
    tasks: hosts.registry,
    hands: hosts.hands,
    createHost: hosts.create,
    isDeposed: (error) => error instanceof Deposed,
    createNode: (parts) => createNode(config.storeUrl, cluster, parts, { handsNow: () => hosts.hands.pool.size, logger }),
    loaded,
    fail,
    logger,
  });
}

/** Makes a node's folder, before it listens. Throws a ConfigError when this user cannot keep files there. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ConfigError('The store cannot be used', [`DATA_DIR ${folder} cannot be written: ${(error as Error).message}`]);
  }
}

/** Waits for the server as long as that takes. Throws a ConfigError when something has to be changed first. */
async function createNode(
  storeUrl: string,
  { dataDir, leaseSeconds }: ClusterConfig,
  parts: NodeParts,
  { handsNow, logger }: { handsNow: () => number; logger: Logger },
): Promise<NodeOfCluster> {
  const opening = new StoreOpening({
    ...{ clock: systemClock, logger, tell: parts.tell },
    open: async () => usable(() => openPostgres({ url: storeUrl, logger })),
  });
  const { backbone, server, shown } = (await opening.attempt()) ?? (await opening.open());
  for (const { name, value, isWarning, meaning } of server) logger[isWarning ? 'warn' : 'info']({ server: shown, name, value }, meaning);
  const node = createClusterNode({
    ...{ name: parts.name, url: parts.url, version: VERSION, backbone, file: join(dataDir, FILE), leaseMs: leaseSeconds * 1000 },
    ...{ clock: systemClock, random: Math.random, logger, own: parts.own, handsNow },
    openReplica: (file) => usable(async () => replicaOf(await openSqliteReplica({ file }))),
    removeReplica: async (file) => removeSqliteReplica(file),
    setReplicaAside: async (file, position) => setSqliteReplicaAside(file, position),
  });
  const { leave } = node;
  node.leave = async () => {
    await leave.call(node);
    await backbone.close();
  };
  return node;
}

/** Turns the fault of something that cannot be used as it is into one of the configuration. */
async function usable<T>(use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw error instanceof StoreFileError || error instanceof UnusableServer
      ? new ConfigError('The store cannot be used', [error.message])
      : error;
  }
}
