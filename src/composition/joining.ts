import type { ClusterConfig } from '../cluster-config.ts';
import { type Config, ConfigError } from '../config.ts';
import type { Logger } from '../engine/ports.ts';
import type { Loaded } from '../loader/definitions.ts';
import { Clustered } from './clustered.ts';
import type { Hosts } from './hosts.ts';

export interface JoiningDeps {
  config: Config;
  cluster: ClusterConfig;
  hosts: Hosts;
  loaded: Loaded;
  fail: (error: unknown) => void;
  logger: Logger;
}

/** Makes the node of a cluster whose log is in PostgreSQL. It takes part when it is started. */
export async function joinCluster({ config, cluster, hosts, loaded, fail, logger }: JoiningDeps): Promise<Clustered> {
  return new Clustered({
    config: cluster,
    listensOn: config.host,
    kind: 'postgresql',
    tasks: hosts.registry,
    createHost: hosts.create,
    loaded,
    fail,
    logger,
    isDeposed: () => false,
    createNode: () => {
      throw new ConfigError('The store cannot be used', ['STORE_URL postgres: is not available in this build']);
    },
  });
}
