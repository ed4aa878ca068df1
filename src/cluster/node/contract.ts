import type { Clock, Logger } from '../../engine/ports.ts';
import type { Store } from '../../engine/store.ts';
import type { Backbone } from '../log/log.ts';
import type { Replica } from '../replica.ts';

export interface ClusterNodeOptions {
  /** No two nodes have the same: of two that do, the second one takes no part. */
  readonly name: string;
  /** Where the others reach it, as `http://host:port`; no two nodes have the same. */
  readonly url: string;
  readonly version: string;
  readonly backbone: Backbone;
  /** The path of the node's own file. */
  readonly file: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  openReplica(file: string): Promise<Replica>;
  removeReplica(file: string): Promise<void>;
  /** Keeps a file under another name, for an operator to look at; `position` is that of its last entry. Resolves with the path of the one that is kept. */
  setReplicaAside(file: string, position: number): Promise<string>;
  /**
   * Makes a host on the store, and starts it; rejects: the ownership is given up. The host MUST use `clock`, whose wall clock is never before the last entry's instant, and by
   * whose readings a process that was stopped for long holds still before it begins anything.
   */
  own(store: Store, epoch: number, clock: Clock): Promise<Owned>;
  /** The hands that are connected to this node. */
  handsNow?(): number;
}

export interface Owned {
  /** Nothing more is begun or answered; the host is thrown away. Called at once when this node owns no more. */
  depose(): Promise<void>;
}

export interface CurrentOwner {
  readonly node: string;
  readonly url: string;
  readonly epoch: number;
}

export interface ClusterNode {
  readonly name: string;
  readonly url: string;
  readonly role: 'owner' | 'follower';
  /** That this node owns; null for a follower. */
  readonly epoch: number | null;
  /** The owner as of the last entry; null when nobody is known, or silent for longer than the lease. */
  readonly owner: CurrentOwner | null;
  /** True from when it has all that the log had when it joined, and knows who owns, or that nobody does. False again while its file is opened anew. */
  readonly isInformed: boolean;
  /** True while this node owns, its host works, and its last confirmed entry is younger than the lease. */
  readonly isServing: boolean;
  /** The last entry in this node's file. */
  readonly position: number;
  /** The time for which this node has not had, or not known to have, all that the log has; 0 for an owner. */
  readonly lagSeconds: number;
  /** Why this node cannot own or follow now, could not make a host when it last owned, or should not be there beside another; null when all is well. */
  readonly trouble: string | null;
  /** Calls `changed` whenever one of role, epoch, owner, isInformed, isServing and trouble has changed. Returns the function that unsubscribes. */
  watch(changed: () => void): () => void;
  /** The nodes that announced themselves of late, this one first. Rejects when the log's server does not answer. */
  nodes(): Promise<readonly NodeView[]>;
  /**
   * Resolves when the node takes part, or is to leave; it needs no answer of the log for that. As long as another process that is alive has its name or its URL it takes no part, and
   * says so as its trouble. Rejects when the file cannot be opened.
   */
  start(): Promise<void>;
  /** Ends the node; an owner lets others claim at once. To be called when its host has been shut down: what still runs counts as interrupted. Idempotent. */
  leave(): Promise<void>;
}

export interface NodeView {
  readonly name: string;
  readonly url: string;
  readonly role: 'owner' | 'follower';
  readonly position: number;
  readonly lagSeconds: number;
  readonly hands: number;
  readonly version: string;
}
