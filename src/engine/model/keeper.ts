import type { Feed } from './feed.ts';
import type { Item } from './model.ts';

/** What of a pipeline changes seldom, each kept as one text. */
export type FactName = 'identity' | 'definition' | 'control' | 'stages';

/** A wait for the store; whoever waits no more MUST leave it. */
export interface Waiting {
  readonly isStored: Promise<boolean>;
  leave(): void;
}

/**
 * Keeps what changes in a pipeline, as far as anything is kept: told of every change, it knows how far the store has come.
 *
 *     change ──touch…, stir──▶ not stored ──flush──▶ stored
 *                                   └──the store fails, or does not answer──▶ not stored, and `trouble` says why
 */
export interface Keeper {
  /** Why nothing can be stored now; null when all is well. */
  readonly trouble: string | null;
  /** Something of this pipeline is not stored yet. */
  readonly isBehind: boolean;
  /** The state of an item has changed. */
  touch(item: Item): void;
  touchFeed(feed: Feed): void;
  /** It is listed no more. */
  forgetFeed(feed: Feed): void;
  touchFact(name: FactName): void;
  /** A large value came into being: it waits in memory for its place in the store. */
  grow(characters: number): void;
  /**
   * Resolves with true when all that has changed until now is stored, with false as soon as there is trouble; undefined when it is
   * stored already, or nothing is kept.
   */
  settled(): Promise<boolean> | undefined;
  /** The same for one that only looks: with false also when the store takes long to answer. */
  settledSoon(): Promise<boolean> | undefined;
  /** The same for one that waits through all trouble: with false only when it is known that nothing will be stored any more. */
  settledAtLast(): Waiting | undefined;
  /** For one that feeds without end: resolves when the store has caught up; undefined when it has. */
  room(): Promise<boolean> | undefined;
  /** The items whose newest state is not stored. */
  unstoredItems(): Iterable<Item>;
}

/** Of a pipeline that lives as long as its process. */
export const KEEPS_NOTHING: Keeper = {
  trouble: null,
  isBehind: false,
  touch: nothing,
  touchFeed: nothing,
  forgetFeed: nothing,
  touchFact: nothing,
  grow: nothing,
  settled: nothing,
  settledSoon: nothing,
  settledAtLast: nothing,
  room: nothing,
  unstoredItems: () => [],
};

function nothing(): undefined {
  return undefined;
}
