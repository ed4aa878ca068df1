import type { ItemError } from '../../schemas/item.ts';
import type { RouteOver } from './routes.ts';

/** An item's state in a durable store. */
export class StoredState {
  /** The number of crashes in which it was running, since it last was in a run that ended. With any, it is a suspect: see flow/quarantine.ts. */
  deliveries = 0;
  /** True when it has changed since it was written. */
  isDirty = false;
  /** True while a write of it is under way: the store may have an older row of it, or none. */
  isInFlight = false;
  /** True while it waits beyond the part of its stage's queue, or of its retries, that is in memory. */
  isBeyond = false;
  /** When it was accepted, in milliseconds since the Unix epoch, where that is ahead of the clock that was set since; null: see {@link Item.acceptedAt}. */
  accepted: number | null = null;
  /** The parts that were last handed to the store; null: nothing yet. See item-codec.ts. */
  written: { value: unknown; fed: unknown; error: ItemError | null; lastError: ItemError | null; route: RouteOver<object> | null } | null =
    null;
}

/** One shared object for all items that are not in a store, so that they cost no extra memory. */
export const NOT_STORED: StoredState = Object.freeze(new StoredState());
