/*
 * Room `gateway`: any node of a cluster takes any request; the owner carries it out.
 *
 *     client ──request──▶ this node ─┬─ serves ───────────▶ its own routes
 *                                    ├─ another one owns ──▶ relay ──▶ the owner ──▶ its routes
 *                                    └─ nobody takes it ───▶ waits, TAKEOVER_WAIT_SECONDS in all
 *
 * Holds:
 * 1. Bodies and answers are passed on as they come, and who is slow slows the other side. The beginning of a body is kept until the head of its answer comes, within a bound.
 * 2. What another node has passed on is not passed on again.
 * 3. A request is sent a second time only when nothing of it was carried out and its body is whole, or when it is a read of which nothing was answered.
 * 4. An answer that was cut short never looks whole.
 * 5. Who has begun something at an owner whose term is over is told, or their connection ends, at once.
 * 6. An owner that ends closes no connection on which another node may be sending: that one does, when it hears that the owner has left.
 *
 * Refuses: to check keys, scopes and bodies of what it passes on. The owner does that, with the caller's own headers; see guards/hop.ts for what it is told beside them.
 */

import type { NodeView } from '../../schemas/nodes.ts';

export interface Owner {
  readonly node: string;
  readonly url: string;
  readonly epoch: number;
}

/** The detail of a `no-owner` at a node that has just come. */
export const NOT_INFORMED = 'this node has not caught up with the log yet, and does not know who owns';

/** The same of a node that owns and answers nothing. */
export const NOT_SERVING = 'this node owns the pipelines and does not serve: it takes over, or cannot tell whether it still owns them';

/** This node, as far as its HTTP side has to know it. */
export interface ClusterView {
  readonly name: string;
  /** Where the others reach it; empty before it takes part. */
  readonly url: string;
  readonly role: 'owner' | 'follower';
  /** The owner as of the last entry; null when nobody is known, or silent for longer than the lease. */
  readonly owner: Owner | null;
  /** True from when it has all that the log had when it joined, and knows who owns, or that nobody does. */
  readonly isInformed: boolean;
  /** The epoch of the ownership whose pipelines are here, from when they go on until they are thrown away; null while there are none. */
  readonly term: number | null;
  /** True while there is a term, and what it reads is known to be true: its last confirmed entry is younger than the lease. */
  readonly isServing: boolean;
  /** The last position of the log that it has applied. */
  readonly position: number;
  readonly lagSeconds: number;
  /** Why it can neither follow nor own, or should not be there beside another; null when all is well. */
  readonly trouble: string | null;
  /** Calls `changed` whenever one of the members above but `position` and `lagSeconds` has another value. Returns the function that unsubscribes. */
  watch(changed: () => void): () => void;
  nodes(): Promise<readonly NodeView[]>;
  /** An owner has answered what this node has passed on; `isTaken`: it knows the signature. When it does not, that is this node's trouble as long as the ownership lasts. */
  taken(owner: Owner, isTaken: boolean): void;
}
