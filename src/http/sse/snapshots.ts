import { type Clock, type Logger, unref } from '../../engine/ports.ts';
import { controlFrame, type Payload, toPayload } from './frame.ts';
import type { SseReader } from './reader.ts';

/** The subject of snapshots and the way to read them; each becomes an event. */
export interface SnapshotView {
  /** Readers of the same subject share its snapshots. */
  subject: object | string;
  read: () => Promise<readonly object[]>;
}

export interface Snapshots {
  /** Offers the reader a snapshot at once, and then every so many seconds. Returns the way to end it. */
  join(view: SnapshotView, seconds: number, reader: SseReader): () => void;
}

/** Readers that ask for the same interval; when they are served next, by the hub's clock. */
interface Rhythm {
  readers: Set<SseReader>;
  at: number;
}

/**
 * The snapshots of one subject. There is one timer, for the rhythm that is due first. Rhythms begin together, and are multiples of each other as
 * far as possible: those that are due in the same tenth of a second are served with one snapshot, made and written once.
 */
interface Ticker {
  view: SnapshotView;
  /** The instant from which all intervals are counted. */
  since: number;
  rhythms: Map<number, Rhythm>;
  /** Readers who have had none yet. */
  newcomers: Set<SseReader>;
  timer: unknown;
  isReading: boolean;
  /** No snapshot before this: making them takes a tenth of the time at most, however large they are. */
  restsUntil: number;
}

/** Rhythms this close to each other are served together. */
const TOGETHER_MS = 50;
/** After a snapshot that took so long to make, so many times as long until the next. */
const REST = 9;

/**
 * The interval that is kept in place of the one that was asked for: a multiple of a tenth of a second up to one second, of a second up to a minute,
 * of a minute after that. Else each reader could have a timer, and snapshots, of its own.
 */
export function keptInterval(seconds: number): number {
  const rounded = (unit: number): number => Math.max(1, Math.round(seconds / unit)) * unit;
  if (seconds < 1) return Math.round(rounded(0.1) * 10) / 10;
  return seconds < 60 ? rounded(1) : rounded(60);
}

/** One timer and one snapshot for all readers of a subject. `event` is the name of the event that each becomes. */
export function createSnapshots({
  event,
  clock,
  logger,
}: {
  event: 'snapshot' | 'stats' | 'overview';
  clock: Clock;
  logger: Logger;
}): Snapshots {
  const tickers = new Map<object | string, Ticker>();

  function arm(ticker: Ticker): void {
    clock.clearTimer(ticker.timer);
    ticker.timer = undefined;
    if (ticker.isReading || ticker.rhythms.size === 0) return;
    const first = ticker.newcomers.size > 0 ? 0 : Math.min(...[...ticker.rhythms.values()].map(({ at }) => at));
    const wait = Math.max(first, ticker.restsUntil) - clock.monotonic();
    ticker.timer = clock.setTimer(() => void tick(ticker), Math.max(0, wait));
    unref(ticker.timer);
  }

  async function tick(ticker: Ticker): Promise<void> {
    const now = clock.monotonic();
    const due: Rhythm[] = [];
    for (const [seconds, rhythm] of ticker.rhythms) {
      if (rhythm.at > now + TOGETHER_MS) continue;
      due.push(rhythm);
      rhythm.at = next(ticker, seconds, now + TOGETHER_MS);
    }
    ticker.isReading = true;
    try {
      // While all of them are held back nobody would get it.
      const readers = new Set([...ticker.newcomers, ...due.flatMap((rhythm) => [...rhythm.readers])]);
      ticker.newcomers.clear();
      if ([...readers].some((reader) => reader.mode === 'open')) {
        const payload = await make(ticker);
        // A reader that has left meanwhile is closed and accepts nothing.
        if (payload !== undefined) for (const reader of readers) reader.offer(payload);
      }
    } catch (error) {
      logger.warn({ err: error }, 'a snapshot for an event stream failed');
    }
    ticker.isReading = false;
    // Armed only now: a snapshot that takes longer than its interval is not asked for twice.
    arm(ticker);
  }

  async function make(ticker: Ticker): Promise<Payload | undefined> {
    const before = clock.monotonic();
    const reading = ticker.view.read();
    const between = clock.monotonic();
    const found = await reading;
    const after = clock.monotonic();
    const frames = found.map((snapshot) => controlFrame(event, snapshot));
    const payload = frames.length === 0 ? undefined : toPayload(frames);
    const now = clock.monotonic();
    ticker.restsUntil = now + REST * (between - before + now - after);
    return payload;
  }

  /** The first time of a rhythm after an instant. */
  function next({ since }: Ticker, seconds: number, after: number): number {
    const step = seconds * 1000;
    return since + (Math.floor((after - since) / step) + 1) * step;
  }

  return {
    join(view, asked, reader) {
      const seconds = keptInterval(asked);
      const { subject } = view;
      const now = clock.monotonic();
      let ticker = tickers.get(subject);
      if (ticker === undefined) {
        ticker = { view, since: now, rhythms: new Map(), newcomers: new Set(), timer: undefined, isReading: false, restsUntil: now };
        tickers.set(subject, ticker);
      }
      let rhythm = ticker.rhythms.get(seconds);
      if (rhythm === undefined) {
        rhythm = { readers: new Set(), at: next(ticker, seconds, now) };
        ticker.rhythms.set(seconds, rhythm);
      }
      const joined = { ticker, rhythm };
      rhythm.readers.add(reader);
      ticker.newcomers.add(reader);
      arm(ticker);
      return () => {
        joined.ticker.newcomers.delete(reader);
        const { readers } = joined.rhythm;
        readers.delete(reader);
        if (readers.size > 0) return;
        const { rhythms } = joined.ticker;
        if (rhythms.get(seconds) === joined.rhythm) rhythms.delete(seconds);
        if (rhythms.size > 0) return;
        clock.clearTimer(joined.ticker.timer);
        if (tickers.get(subject) === joined.ticker) tickers.delete(subject);
      };
    },
  };
}
