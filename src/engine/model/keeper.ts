import type { Feed } from './feed.ts';
import type { Item } from './model.ts';

/** The parts of a pipeline that seldom change, each stored as one text. */
export type FactName = 'identity' | 'definition' | 'control' | 'stages' | 'history' | 'counted';

/** A wait for the store; a caller that stops waiting MUST leave it. */
export interface Waiting {
  readonly isStored: Promise<boolean>;
  leave(): void;
}

/**
 * The pipeline's link to its store, or to none. It is told of every change, and knows how far the store has come.
 *
 *     change ──touch…, stir──▶ not stored ──flush──▶ stored
 *                                   └──the store fails, or does not answer──▶ not stored, and `trouble` says why
 */
export interface Keeper {
  /** Why nothing can be stored now; null when all is well. */
  readonly trouble: string | null;
  /** True while a change in this pipeline is not stored yet. */
  readonly isBehind: boolean;
  /** True when a change need not call {@link Keeper.stir}: the keeper knows already that something has changed, or keeps nothing. */
  readonly isStirred: boolean;
  /** Called when anything has changed. */
  stir(): void;
  /** Called when the state of an item has changed. */
  touch(item: Item): void;
  touchFeed(feed: Feed): void;
  /** Called when a feed is no longer listed. */
  forgetFeed(feed: Feed): void;
  touchFact(name: FactName): void;
  /** Counts a new large value, which stays in memory until it is stored. */
  grow(characters: number): void;
  /**
   * Resolves with true when everything that has changed until now is stored, with false as soon as there is trouble; undefined when it is
   * stored already, or nothing is kept.
   */
  settled(): Promise<boolean> | undefined;
  /** The same for a read: resolves with false also when the store takes long to answer. */
  settledSoon(): Promise<boolean> | undefined;
  /** The same for a caller that waits through all trouble: resolves with false only when nothing will ever be stored again. */
  settledAtLast(): Waiting | undefined;
  /** For an endless feed: resolves when the store has caught up; undefined when it already has. */
  room(): Promise<boolean> | undefined;
  /** The items whose newest state is not stored. */
  unstoredItems(): Iterable<Item>;
}

/** The keeper of a pipeline without a store: nothing is kept, and nobody waits. */
export const KEEPS_NOTHING: Keeper = {
  trouble: null,
  isBehind: false,
  isStirred: true,
  stir: nothing,
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
