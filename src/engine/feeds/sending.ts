import { createHash, type Hash } from 'node:crypto';
import { callerGone, describeThrown, SluiceError } from '../contract/errors.ts';
import type { FeedRequest } from '../contract/requests.ts';
import type { Core } from '../flow/core.ts';
import type { Feed } from '../model/feed.ts';
import type { TracedError } from '../ports.ts';
import { turnGate } from '../time/turn.ts';
import { keyReused, NO_TICKET, type Sent, type Ticket } from './answers.ts';

/** Opens the feed of a request, or once more the one that an earlier request of its key has begun. Throws `no-longer-kept` when that was forgotten. */
export function openFeed({ admission, feeds }: Core, request: FeedRequest, ticket: Ticket): Feed {
  const { earlier } = ticket;
  if (earlier !== null) {
    const begun = feeds.find(earlier.feedId);
    // Its id may be another feed's by now.
    if (begun?.ordinal === earlier.sent.ordinal) return admission.reopenFeed(begun, request);
    if (earlier.sent.count > 0) {
      const text = `the feed "${earlier.feedId}", which this request has begun, is no longer kept`;
      throw new SluiceError('no-longer-kept', text, { details: { feedId: earlier.feedId } });
    }
  }
  const feed = admission.openFeed(request);
  if (ticket !== NO_TICKET) ticket.sending(feed.id, { ordinal: feed.ordinal, count: 0, print: '' });
  return feed;
}

/** The feed that a request appends to. Throws `invalid-input` when it names none, or comes with a key, and what `Admission.appendTo` throws. */
export function appendedFeed({ admission }: Core, request: FeedRequest): Feed {
  const message =
    request.feedId === undefined
      ? 'needs the feedId of the feed to continue'
      : request.idempotency === undefined
        ? null
        : 'does not go with an Idempotency-Key, which continues a request by itself';
  if (message !== null) throw new SluiceError('invalid-input', `append ${message}`, { errors: [{ path: '/append', message }] });
  return admission.appendTo(request);
}

/** The same for items that are accepted together. Throws `idempotency-key-reused` when some of the feed's were accepted before. */
export function openWholeFeed(core: Core, request: FeedRequest, ticket: Ticket): Feed {
  const feed = openFeed(core, request, ticket);
  if (!hasItems(feed)) return feed;
  const error = keyReused();
  core.feeds.close(feed, false, refusalOf(core, error));
  throw error;
}

/** The reason why a request was refused, as its span tells it. */
export function refusalOf({ options }: Core, error: unknown): TracedError {
  const { type, message } = describeThrown(error, options.ports.secrets.mask);
  return { type: error instanceof SluiceError ? error.code : type, message };
}

/** Whether any of a feed's items has been accepted, or found to be a duplicate. */
export function hasItems({ accepted, duplicates }: Feed): boolean {
  return accepted + duplicates > 0;
}

/**
 * The items of a feed that is sent in pushes. Under a key, what is pushed is noted in the turn before its first item is accepted, so that a store has
 * no item of the feed without the note. A repeat has to begin with the same items; those that were accepted are passed over.
 *
 *     first:   push ──▶ noted ──▶ accepted, one part after the other ──▶ … ──▶ finish
 *     repeat:  push ──▶ compared, until all that was noted has come ──the same──▶ those not accepted yet ──▶ as the first
 *                                                                   └─others──▶ `idempotency-key-reused`
 */
export class Sending {
  private readonly core: Core;
  private readonly feed: Feed;
  private readonly request: FeedRequest;
  private readonly ticket: Ticket;
  /** null without a key. */
  private readonly hash: Hash | null;
  /** How many items have gone through the hash. */
  private count = 0;
  /** The beginning that a repeat must have; null for a first request, and when it has been compared. */
  private begun: Sent | null;
  /** How many of those are in the feed, and the others, as long as they are compared. */
  private readonly taken: number;
  private held: unknown[] = [];

  constructor(core: Core, feed: Feed, request: FeedRequest, ticket: Ticket) {
    this.core = core;
    this.feed = feed;
    this.request = request;
    this.ticket = ticket;
    this.hash = ticket === NO_TICKET ? null : createHash('sha256');
    this.taken = feed.accepted + feed.duplicates;
    this.begun = hasItems(feed) ? (ticket.earlier?.sent ?? null) : null;
  }

  async push(items: readonly unknown[]): Promise<void> {
    const { core, feed, hash, ticket, request } = this;
    // Many are woken at once when the store has caught up or there is room again.
    const turn = turnGate(core.time.clock).enter(this);
    if (turn !== undefined) {
      await turn;
      if (!feed.isOpen) throw callerGone();
    }
    if (hash === null) return this.admit(core.admission.check(items, request));
    let rest = items;
    if (this.begun !== null) {
      // Their ids are known, of course.
      rest = await this.compare(core.admission.check(items, { isParsed: request.isParsed }), this.begun);
      if (rest.length === 0) return;
    }
    const fresh = core.admission.check(rest, request);
    this.note(fresh, hash);
    ticket.sending(feed.id, { ordinal: feed.ordinal, count: this.count, print: printOf(hash) });
    return this.admit(fresh);
  }

  /** All is sent. Throws `idempotency-key-reused` when a repeat has sent less than was sent before. */
  finish(body?: string): void {
    if (this.begun !== null) {
      this.breakOff();
      throw keyReused();
    }
    this.ticket.accepted(this.feed.id, body);
    this.core.feeds.close(this.feed);
  }

  /** The request ends otherwise: a repeat goes on where it ended, or begins anew when nothing was accepted. */
  breakOff(): void {
    this.core.feeds.refuse(this.feed);
    if (hasItems(this.feed)) this.ticket.leave();
    else this.ticket.forget();
  }

  /** Compares the items that were sent before. Once all have come, accepts those that were not, and returns the rest; none before that. */
  private async compare(items: readonly unknown[], begun: Sent): Promise<readonly unknown[]> {
    const hash = this.hash as Hash;
    const known = items.slice(0, begun.count - this.count);
    for (let i = Math.max(0, this.taken - this.count); i < known.length; i++) this.held.push(known[i]);
    this.note(known, hash);
    if (this.count < begun.count) return [];
    if (printOf(hash) !== begun.print) throw keyReused();
    this.begun = null;
    const { held } = this;
    this.held = [];
    if (held.length > 0) {
      await this.admit(this.core.admission.check(held, this.request));
    }
    return items.slice(known.length);
  }

  private note(items: readonly unknown[], hash: Hash): void {
    hash.update(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    this.count += items.length;
  }

  private async admit(items: readonly unknown[]): Promise<void> {
    const { core, feed, request } = this;
    await core.admission.admitWhenRoom(items, feed, request, true);
    await core.keeper.room();
  }
}

function printOf(hash: Hash): string {
  return hash.copy().digest('base64url');
}
