import type { PipelineResult } from '../../schemas/item.ts';
import { callerGone } from '../contract/errors.ts';
import type { FeedWaitQuery, RunRequest } from '../contract/requests.ts';
import type { Core, Follower } from '../flow/core.ts';
import { idOf, isNamed } from '../flow/incoming.ts';
import type { Item } from '../model/model.ts';
import { waitWithin } from '../time/waited.ts';
import { KnownItems, SequenceIds } from './known-items.ts';

/**
 * The items of other feeds that a repeated request names: what its first answer had of them is found again by their ids, because the feed knows only
 * its own items.
 */
export class NamedItems {
  private readonly core: Core;
  private readonly feedId: string;
  private readonly seen = new SequenceIds();
  private readonly sequenceIds: number[] = [];
  private readonly onlyMaker: string | undefined;
  private missing = 0;

  /** `onlyMaker`: see {@link RunRequest}. */
  constructor(core: Core, feedId: string, onlyMaker: string | undefined) {
    this.core = core;
    this.onlyMaker = onlyMaker;
    this.feedId = feedId;
  }

  /** How many there are; some may be gone. */
  get size(): number {
    return this.sequenceIds.length + this.missing;
  }

  add(items: readonly unknown[]): void {
    for (const raw of items) {
      const id = isNamed(raw) ? idOf(raw) : null;
      if (id === null) continue;
      const item = this.core.index.peek(id);
      if (item === undefined) this.missing++;
      else if (this.onlyMaker !== undefined && item.feed.maker !== this.onlyMaker) continue;
      else if (item.feed.id !== this.feedId && this.seen.add(item.sequenceId)) this.sequenceIds.push(item.sequenceId);
    }
  }

  /** Waits until all that are kept have ended: true when they have, false when the time is up. Throws `request-timeout` when the caller has gone. */
  async ended(query: FeedWaitQuery): Promise<boolean> {
    const { core } = this;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const known = new KnownItems(() => known.isWaiting || resolve());
    const follower: Follower = { cutShort: reject };
    core.followers.add(follower);
    try {
      for (const sequenceId of this.sequenceIds) {
        const item = core.index.peekSequence(sequenceId);
        if (item?.isKept === true && !item.isFinal) known.meet(item);
      }
      if (!known.isWaiting) return true;
      const waited = await waitWithin(promise, query, core.time, core.dues);
      if (waited.is === 'gone') throw callerGone();
      return waited.is === 'done';
    } finally {
      core.followers.delete(follower);
      known.stop();
    }
  }

  /** The ones that have ended, one by one. */
  *pages(): Generator<Item[]> {
    for (const sequenceId of this.sequenceIds) {
      const item = this.core.index.bySequence(sequenceId);
      if (item?.isKept === true && item.isFinal) yield [item];
    }
  }
}

/** Puts the results of a request into the order of its items: those of its own feed by their sequence ids, and known ones where they are named. */
export function inOrderOf(items: readonly unknown[], rows: readonly PipelineResult[], feedId: string): PipelineResult[] {
  const others = new Map(rows.filter((row) => row.feedId !== feedId).map((row) => [row.id, row]));
  if (others.size === 0) return [...rows];
  const own = rows.filter((row) => row.feedId === feedId);
  const ownIds = new Set(own.map(({ id }) => id));
  const ordered: PipelineResult[] = [];
  const given = new Set<string>();
  let at = 0;
  for (const raw of items) {
    const id = isNamed(raw) ? idOf(raw) : null;
    const other = id === null ? undefined : others.get(id);
    if (id !== null && given.has(id)) continue;
    if (id !== null) given.add(id);
    if (other !== undefined) ordered.push(other);
    else if ((id === null || ownIds.has(id)) && at < own.length) ordered.push(own[at++] as PipelineResult);
  }
  return ordered.concat(own.slice(at));
}
