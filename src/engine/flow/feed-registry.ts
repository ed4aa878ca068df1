import { SluiceError } from '../contract/errors.ts';
import { Feed, type FeedTarget } from '../model/feed.ts';

/** How many feeds are remembered after they are done. */
const FEEDS_KEPT = 10_000;
/** How many of the oldest are looked at for each new one: more than one, so that the finished ones run out. */
const FEEDS_LOOKED_AT = 4;

/** What keeps the feeds. */
export interface FeedJournal {
  touchFeed(feed: Feed): void;
  /** It is listed no more. */
  forgetFeed(feed: Feed): void;
}

/** The feeds of a pipeline, by id: those that go on, and the newest ones that are done. */
export class FeedRegistry {
  private readonly feeds = new Map<string, Feed>();
  /** In the order in which they may be forgotten, from `head` on: deleting the first of a map again and again makes finding the next one slow. */
  private order: Feed[] = [];
  private head = 0;
  private readonly prefix: string;
  private readonly byNumber = new Map<number, Feed>();
  lastOrdinal = 0;
  /** How many done feeds were forgotten. */
  forgotten = 0;
  /** Told of what changes, and of what is forgotten. */
  journal: FeedJournal | null = null;

  constructor(uniqueId: () => string) {
    this.prefix = `feed-${uniqueId()}`;
  }

  find(id: string): Feed | undefined {
    return this.feeds.get(id);
  }

  byOrdinal(ordinal: number): Feed | undefined {
    return this.byNumber.get(ordinal);
  }

  /** Takes up feeds that an earlier process has made, in the order of their ordinals. */
  restore(feeds: Iterable<Feed>, lastOrdinal: number, forgotten: number): void {
    for (const feed of feeds) this.list(feed);
    this.lastOrdinal = lastOrdinal;
    this.forgotten = forgotten;
  }

  /** Throws `feed-not-found`. */
  get(id: string): Feed {
    const feed = this.feeds.get(id);
    if (feed === undefined) throw new SluiceError('feed-not-found', `no feed "${id}"`);
    return feed;
  }

  /** In the order of their creation, those after an ordinal; only those of a maker, if one is named. */
  after(ordinal: number, maker?: string): Feed[] {
    const isWanted = (feed: Feed): boolean => feed.ordinal > ordinal && (maker === undefined || feed.maker === maker);
    return [...this.feeds.values()].filter(isWanted).sort((a, b) => a.ordinal - b.ordinal);
  }

  /** Without an id it gets one. Throws `feed-exists`. It stays open until it is closed or refused. */
  open(id: string | undefined, target: FeedTarget, now: number, maker: string | null = null): Feed {
    if (id !== undefined && this.feeds.has(id)) throw new SluiceError('feed-exists', `the feed "${id}" already exists`);
    const feed = new Feed(id ?? this.generateId(), ++this.lastOrdinal, target, now, maker);
    this.list(feed);
    this.journal?.touchFeed(feed);
    return feed;
  }

  private list(feed: Feed): void {
    this.feeds.set(feed.id, feed);
    this.byNumber.set(feed.ordinal, feed);
    this.order.push(feed);
  }

  /** Nothing more comes for it. Idempotent. The oldest finished feeds beyond a bound are forgotten. */
  close(feed: Feed): void {
    if (!feed.isOpen) return;
    feed.close();
    this.journal?.touchFeed(feed);
    if (this.feeds.size <= FEEDS_KEPT) return;
    for (let looked = 0; this.feeds.size > FEEDS_KEPT && looked < FEEDS_LOOKED_AT; looked++) {
      const old = this.order[this.head++];
      if (old === undefined) break;
      // Refused, and its id may be another's by now.
      if (this.feeds.get(old.id) !== old) continue;
      // One that goes on goes to the end, so that it does not keep the finished ones behind it.
      if (!old.isDone) {
        this.order.push(old);
        continue;
      }
      this.delete(old);
      this.forgotten++;
    }
    if (this.head > FEEDS_KEPT) {
      this.order = this.order.slice(this.head);
      this.head = 0;
    }
  }

  /** Closes the feed of a request that was refused; when nothing was accepted, its id is free again. */
  refuse(feed: Feed): void {
    this.close(feed);
    if (feed.accepted === 0 && feed.duplicates === 0 && this.feeds.get(feed.id) === feed) this.delete(feed);
  }

  private delete(feed: Feed): void {
    this.feeds.delete(feed.id);
    this.byNumber.delete(feed.ordinal);
    this.journal?.forgetFeed(feed);
  }

  private generateId(): string {
    for (let ordinal = this.lastOrdinal + 1; ; ordinal++) {
      const id = `${this.prefix}-${ordinal.toString(36)}`;
      if (!this.feeds.has(id)) return id;
    }
  }
}
