/*
 * Room `composition`: puts a service together from its parts: hosts with tasks and ports, their store, and a node's part in a cluster.
 *
 * Holds: A host of an ownership that is over is thrown away as a whole, whatever it was doing.
 * Refuses: to listen, to hear signals and to end the process, which is the server's business; to decide who owns, which is the cluster's.
 */

import type { LocalHost } from '../engine/index.ts';
import type { Clock, Logger } from '../engine/ports.ts';
import type { Store } from '../engine/store.ts';
import type { Loaded } from '../loader/definitions.ts';
import { filesDifference, filesHash } from '../loader/files-hash.ts';
import { checkPipelines, loadPipelines, restorePipelines } from '../loader/started-pipelines.ts';
import type { Hands } from './hands.ts';
import type { HostSwitch } from './host-switch.ts';

export interface OwnershipDeps {
  host: HostSwitch;
  createHost: (fail: (error: unknown) => void, clock: Clock) => LocalHost;
  hands: Pick<Hands, 'enter' | 'letGo'>;
  /** The definitions in this node's files. */
  loaded: Loaded;
  pipelinesFrom: 'files' | 'log' | undefined;
  /** Whether a fault of the store says that another node owns, which is no fault. */
  isDeposed: (error: unknown) => boolean;
  /** A fault of the store that no trying again mends; MUST end the process. */
  fail: (error: unknown) => void;
  logger: Logger;
}

/** An ownership that this node has. */
export interface Owned {
  /** Nothing more is begun or answered: the host is thrown away. */
  depose(): Promise<void>;
}

/** Makes the pipelines of this node when it comes to own them. */
export class Ownership {
  private readonly deps: OwnershipDeps;
  private files: Loaded;

  constructor(deps: OwnershipDeps) {
    this.deps = deps;
    this.files = deps.loaded;
  }

  /** Restores the pipelines of a store and lets them go on. Rejects when that cannot be done, or is not wanted any more. */
  async own(store: Store, epoch: number, clock: Clock): Promise<Owned> {
    const { host: shown, hands, createHost, isDeposed, fail, logger } = this.deps;
    const host = createHost((error) => {
      if (!isDeposed(error)) fail(error);
    }, clock);
    try {
      host.keepIn(store);
      const { files } = this;
      await checkPipelines(host, files);
      const loads = this.loads(host);
      await restorePipelines(host, loads ? files.definitions : []);
      // Which files they were is stored before anybody is answered: whoever owns next does not take other files for the first ones.
      if (loads) await loadPipelines(host, files, logger);
      if (shown.shuttingDown) host.shuttingDown = true;
      hands.enter(epoch);
      host.goOn();
      shown.enter(host, epoch);
    } catch (error) {
      await host.abandon();
      throw error;
    }
    const { recovered } = host.storeHealth;
    logger.info({ epoch, ...recovered }, 'the pipelines go on here');
    return {
      async depose() {
        shown.leave(host);
        const abandoned = host.abandon();
        hands.letGo();
        await abandoned;
      },
    };
  }

  /** The files were read again. True: this node owns, so they are to be loaded. */
  reread(loaded: Loaded): boolean {
    this.files = loaded;
    return this.deps.host.term !== null;
  }

  /** Whether the definitions of the files are loaded into a host. What is in the log holds, unless there is nothing yet or an operator has said otherwise. */
  private loads(host: LocalHost): boolean {
    const { pipelinesFrom, logger } = this.deps;
    const last = host.filesLoaded;
    if (last === null) return pipelinesFrom !== 'log';
    const difference = filesDifference(filesHash(this.files), last);
    if (difference === null) return false;
    if (pipelinesFrom === 'files') return true;
    if (pipelinesFrom === undefined)
      logger.warn(
        difference,
        'the definitions in the files of this node are not those that were loaded last; those in the log hold. Set PIPELINES_FROM, or send SIGHUP to the owner, to load these',
      );
    return false;
  }
}
