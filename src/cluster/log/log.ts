/*
 * Room `log`: the ports of the replicated store: a log that orders and keeps, files of its state, and who is there.
 *
 *     owner ──append──▶ Log ──follow──▶ every node's own file          Snapshots: that file, as of a position
 *
 * Holds: Positions are 1, 2, 3 … without a hole. An entry is there once or not at all, and each comes after the one that whoever appended it had seen.
 * Refuses: to know what is in an entry, and who may append.
 */

export interface Entry {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** Where a log is to go on: right after the entry at `position`, whose token is `token`; after none where the position is 0. See token.ts. */
export interface Place {
  readonly position: number;
  readonly token: string;
}

/** There is an entry in that place already, or not this one right before it. */
export class LogConflict extends Error {
  override name = 'LogConflict';
}

export interface Log {
  /** For logs and `/readyz`. */
  readonly kind: string;
  /** The most bytes that an entry may have. */
  readonly maxBytes: number;
  /**
   * Appends right after the last entry, if that is the one that `after` names, or rejects with {@link LogConflict} and appends nothing. Durable when it resolves. After any other
   * rejection it is unknown whether the entry is there, or will be: once, or not at all. `signal` gives it up.
   *
   * MUST compare the token in the same act: a log that has lost its end and grown again has other entries in the same positions, and an append that was under way
   * meanwhile has no place in it.
   */
  append(after: Place, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Undefined where there is none: not yet, or trimmed. */
  read(position: number): Promise<Entry | undefined>;
  /** The first position that is kept and the last one; both 0 while there has been none. It is also how to find out whether the log answers. */
  ends(): Promise<{ first: number; last: number }>;
  /**
   * Calls `each` with every entry after a position, in order, the next one when its promise has settled. Calls `lost` at most once, when it cannot go on: the log does not
   * answer, `each` has rejected, or the entries that come next have been trimmed.
   */
  follow(after: number, each: (entry: Entry) => Promise<void>, lost: (why: unknown) => void): Promise<{ stop(): Promise<void> }>;
  /** Forgets the entries up to a position; the last entry of all is kept whatever is asked. */
  trim(upTo: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Copies of a node's file as of a position, for nodes that begin with an empty disk or were away for long. The two that were put last are kept: where the log has lost its end, one that has
 * what was lost may have a higher position than those that are put after it.
 */
export interface Snapshots {
  /** Keeps the file at the path `file`. It is found by others when this has resolved. */
  put(position: number, file: string): Promise<void>;
  /** The one of the highest position, or of the highest up to one. */
  newest(upTo?: number): Promise<{ position: number; fetch(to: string): Promise<void> } | null>;
}

/** The state of a node, as it announces it again and again. */
export interface NodeInfo {
  readonly name: string;
  /** Where the others reach it, as `http://host:port`. */
  readonly url: string;
  readonly role: 'owner' | 'follower';
  /** The last position that it has applied. */
  readonly position: number;
  readonly hands: number;
  readonly version: string;
  readonly format: number;
}

/** A row of another process that has the same name or the same address as the one that asks. */
export interface Rival {
  readonly name: string;
  readonly url: string;
  /** Seconds since it was announced, by the log's own clock. */
  readonly agoSeconds: number;
  /** Another one each time that it is announced: who is alive has a new one after a while, and a dead process has not. */
  readonly stamp: string;
}

/** The nodes that are there, a row for each name: for `GET /nodes` and for trimming; nothing that is promised stands on it. */
export interface Presence {
  announce(node: NodeInfo): Promise<void>;
  /** The nodes that have announced themselves of late, with the seconds since they last did, by the log's own clock. */
  list(): Promise<readonly (NodeInfo & { readonly agoSeconds: number })[]>;
  /** The rows of this name or this URL, as long as they are listed, that were not written last through this very port. One that a lost answer leaves unknown is not among them. */
  rivals(node: Pick<NodeInfo, 'name' | 'url'>): Promise<readonly Rival[]>;
  /** Forgets the row of this name if it was written last through this port, or may have been. */
  leave(name: string): Promise<void>;
}

/** Everything that a cluster needs from its server. */
export interface Backbone {
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly presence: Presence;
  close(): Promise<void>;
}
