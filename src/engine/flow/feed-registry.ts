import { SluiceError } from '../contract/errors.ts';
import { Feed, type FeedTarget } from '../model/feed.ts';
import { KEEPS_NOTHING, type Keeper } from '../model/keeper.ts';
import type { TracedError } from '../ports.ts';

/** The number of feeds beyond which done ones are forgotten, by default. */
const FEEDS_KEPT = 10_000;
/** How many of the oldest feeds are checked for each that closes: more than one, so that done ones do not accumulate. */
const FEEDS_LOOKED_AT = 4;

/** The feeds of a pipeline by id: the unfinished ones, and the newest ones that are done. */
export class FeedRegistry {
  private readonly feeds = new Map<string, Feed>();
  /**
   * The feeds in the order in which they may be forgotten, from `head` on. The map's own order would do, but deleting its first entry again and
   * again makes finding the next one slow.
   */
  private order: Feed[] = [];
  private head = 0;
  private readonly prefix: string;
  /** The feeds by ordinal, which rows of a store refer to; null without one. */
  private byNumber: Map<number, Feed> | null = null;
  /** True when a caller has given a feed an id that begins like the generated ones. */
  private hasLookalikes = false;
  lastOrdinal = 0;
  /** The number of done feeds that were forgotten. */
  forgotten = 0;
  /** Told of every change of a feed. */
  private keeper: Keeper = KEEPS_NOTHING;

  private readonly onOver: (feed: Feed) => void;
  private readonly most: number;

  /** `onOver` is called when a feed is over ({@link Feed.isOver}), again when it has gone on in between. */
  constructor(uniqueId: () => string, onOver: (feed: Feed) => void, most = FEEDS_KEPT) {
    this.most = most;
    this.onOver = onOver;
    this.prefix = `feed-${uniqueId()}`;
  }

  /** Tells a keeper of every change from now on. */
  keepWith(keeper: Keeper): void {
    this.keeper = keeper;
    this.byNumber ??= new Map([...this.feeds.values()].map((feed) => [feed.ordinal, feed]));
  }

  find(id: string): Feed | undefined {
    return this.feeds.get(id);
  }

  /** With a store only. */
  byOrdinal(ordinal: number): Feed | undefined {
    return this.byNumber?.get(ordinal);
  }

  /** Restores the feeds of an earlier process, in the order of their ordinals. */
  restore(feeds: Iterable<Feed>, lastOrdinal: number, forgotten: number): void {
    this.byNumber = new Map();
    for (const feed of feeds) {
      if (feed.id.startsWith(this.prefix)) this.hasLookalikes = true;
      this.list(feed);
    }
    this.lastOrdinal = lastOrdinal;
    this.forgotten = forgotten;
  }

  /** The feed with this id. Throws `feed-not-found`. */
  get(id: string): Feed {
    const feed = this.feeds.get(id);
    if (feed === undefined) throw new SluiceError('feed-not-found', `no feed "${id}"`);
    return feed;
  }

  /** The feeds after an ordinal, in the order of their creation; with `maker`, only those made under that name. */
  after(ordinal: number, maker?: string): Feed[] {
    const isWanted = (feed: Feed): boolean => feed.ordinal > ordinal && (maker === undefined || feed.maker === maker);
    return [...this.feeds.values()].filter(isWanted).sort((a, b) => a.ordinal - b.ordinal);
  }

  /** Opens a feed, generating an id if none is given. It stays open until it is closed or refused. `createdAt`: milliseconds since the Unix epoch. Throws `feed-exists`. */
  open(id: string | undefined, target: FeedTarget, createdAt: number, maker: string | null = null): Feed {
    if (id !== undefined) this.noteGiven(id);
    const feed = new Feed(id ?? this.generateId(), ++this.lastOrdinal, target, createdAt, maker);
    this.list(feed);
    this.keeper.touchFeed(feed);
    return feed;
  }

  private noteGiven(id: string): void {
    if (this.feeds.has(id)) throw new SluiceError('feed-exists', `the feed "${id}" already exists`);
    if (id.startsWith(this.prefix)) this.hasLookalikes = true;
  }

  private list(feed: Feed): void {
    this.feeds.set(feed.id, feed);
    this.byNumber?.set(feed.ordinal, feed);
    this.order.push(feed);
  }

  /** Closes a feed to further items, whose body has come to its end unless `isComplete` is false, and forgets the oldest done feeds beyond a bound. Idempotent. */
  close(feed: Feed, isComplete = true, error?: TracedError): void {
    if (!feed.isOpen) return;
    feed.close(isComplete, error);
    this.keeper.touchFeed(feed);
    this.look(feed);
    if (this.feeds.size <= this.most) return;
    for (let looked = 0; this.feeds.size > this.most && looked < FEEDS_LOOKED_AT; looked++) {
      const old = this.order[this.head++];
      if (old === undefined) break;
      // This one was refused, and its id may be another's by now.
      if (this.feeds.get(old.id) !== old) continue;
      // An unfinished one goes to the end, so that it does not protect the done ones behind it.
      if (!old.isDone || old.isOwed) {
        this.order.push(old);
        continue;
      }
      this.delete(old);
      this.forgotten++;
    }
    if (this.head > this.most) {
      this.order = this.order.slice(this.head);
      this.head = 0;
    }
  }

  /** To be called after whatever may have ended a feed. */
  look(feed: Feed): void {
    if (feed.isTold || !feed.isOver) return;
    feed.isTold = true;
    this.onOver(feed);
  }

  /** Closes the feed of a request that was refused, for `error` if that is known; when nothing was accepted, its id is free again. */
  refuse(feed: Feed, error?: TracedError): void {
    if (feed.accepted + feed.duplicates > 0) {
      this.close(feed, false, error);
      return;
    }
    // Nobody is told of the end of one that has never been.
    if (feed.isOpen) feed.close(false, error);
    if (this.feeds.get(feed.id) === feed) this.delete(feed);
  }

  private delete(feed: Feed): void {
    this.feeds.delete(feed.id);
    this.byNumber?.delete(feed.ordinal);
    this.keeper.forgetFeed(feed);
  }

  private generateId(): string {
    for (let ordinal = this.lastOrdinal + 1; ; ordinal++) {
      const id = `${this.prefix}-${ordinal.toString(36)}`;
      if (!this.hasLookalikes || !this.feeds.has(id)) return id;
    }
  }
}
