import type { WaitReply } from '../../schemas/feed.ts';
import type { PipelineResult } from '../../schemas/item.ts';
import { callerGone, type PipelineError, SluiceError } from '../contract/errors.ts';
import type { ItemsWaitQuery } from '../contract/requests.ts';
import type { Core, Follower } from '../flow/core.ts';
import type { EndedItem, FeedWatcher } from '../model/feed.ts';
import type { Item } from '../model/model.ts';
import { waitWithin } from '../time/waited.ts';
import { DOCUMENT_CHARACTERS } from '../values/sizes.ts';

const IDS_NAMED = 1000;

/**
 * Waits for single items, as AntFlow's `wait` does. Throws `item-not-found` with the unknown ids, and what it is cut short with when the pipeline ends
 * first.
 */
export async function waitForItems(core: Core, query: ItemsWaitQuery): Promise<WaitReply> {
  const ids = [...new Set(query.itemIds)];
  core.time.tick();
  core.index.retireAged();
  const { maker } = query;
  const known = (id: string): Item | undefined => {
    const item = core.index.peek(id);
    return maker === undefined || item?.feed.maker === maker ? item : undefined;
  };
  const unknown = ids.filter((id) => known(id) === undefined);
  if (unknown.length > 0) throw itemsNotFound(unknown);
  const wait = new ItemWait(
    core,
    ids.map((id) => known(id) as Item),
    query.returnWhen,
  );
  try {
    const waited = await waitWithin(wait.ended, query, core.time, core.dues);
    if (waited.is === 'gone') throw callerGone();
    return wait.reply();
  } finally {
    wait.stop();
  }
}

export function itemsNotFound(ids: readonly string[]): SluiceError {
  const named = ids.slice(0, IDS_NAMED);
  const first = named.slice(0, 3).map((id) => `"${id}"`);
  return new SluiceError('item-not-found', `no item ${first.join(', ')}${ids.length > 3 ? ', …' : ''}`, { details: { ids: named } });
}

class ItemWait implements FeedWatcher, Follower {
  /** Resolves when the condition of `returnWhen` is met. */
  readonly ended: Promise<void>;
  private readonly items: readonly Item[];
  private readonly returnWhen: ItemsWaitQuery['returnWhen'];
  private readonly core: Core;
  /** Results by sequence id, as the items ended, whatever becomes of them later. null: it no longer fitted into the reply. */
  private readonly results = new Map<number, PipelineResult | null>();
  private left: number;
  private readonly wanted: Set<number>;
  private readonly resolve: () => void;
  private readonly reject: (error: Error) => void;

  constructor(core: Core, items: readonly Item[], returnWhen: ItemsWaitQuery['returnWhen']) {
    this.core = core;
    this.items = items;
    this.returnWhen = returnWhen;
    this.left = core.options.documentCharacters ?? DOCUMENT_CHARACTERS;
    this.wanted = new Set(items.map((item) => item.sequenceId));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ended = promise;
    this.resolve = resolve;
    this.reject = reject;
    // Their values may have to be read, which may fail: before anybody is watched.
    for (const item of items) if (item.isFinal) this.onItem(item);
    core.followers.add(this);
    for (const item of items) if (!item.isFinal) item.feed.watch(this);
  }

  onItem(item: EndedItem): void {
    if (!this.wanted.has(item.sequenceId)) return;
    this.results.set(item.sequenceId, this.resultOf(item));
    const isMet =
      this.results.size === this.wanted.size ||
      this.returnWhen === 'FIRST_COMPLETED' ||
      (this.returnWhen === 'FIRST_EXCEPTION' && item.status === 'failed');
    if (isMet) this.resolve();
  }

  onClose(): void {
    // Whether further items come in makes no difference to these.
  }

  cutShort(error: PipelineError): void {
    this.reject(error);
  }

  reply(): WaitReply {
    const done: PipelineResult[] = [];
    const pending: string[] = [];
    const omitted: string[] = [];
    for (const item of this.items) {
      const result = this.results.get(item.sequenceId);
      if (result === undefined) pending.push(item.id);
      else if (result === null) omitted.push(item.id);
      else done.push(result);
    }
    return { done, pending, ...(omitted.length === 0 ? {} : { omitted }) };
  }

  /** The item's result; null when the reply is full, which always fits at least one. */
  private resultOf({ sequenceId }: EndedItem): PipelineResult | null {
    if (this.left <= 0) return null;
    // An item that was looked up for its status may lack its value.
    const item = this.core.index.bySequence(sequenceId) as Item;
    this.left -= item.resultSize;
    return item.toResult();
  }

  stop(): void {
    for (const item of this.items) item.feed.unwatch(this);
    this.core.followers.delete(this);
  }
}
