import type { Clock, Logger } from '../engine/ports.ts';
import { controlFrame, toPayload } from './sse-frame.ts';
import type { SseReader } from './sse-reader.ts';

/** What is shown, and how it is asked for: an event each. */
export interface SnapshotSource {
  /** Who asks for the same subject shares the snapshots. */
  subject: object;
  read: () => Promise<readonly object[]>;
}

export interface Snapshots {
  /** Offers the reader a snapshot every so many seconds, the first one after that time. Returns the way to end it. */
  join(source: SnapshotSource, seconds: number, reader: SseReader): () => void;
}

interface Ticker {
  readers: Set<SseReader>;
  timer: unknown;
}

/** One timer and one call of `snapshot()` for all readers of a pipeline that ask for the same interval. */
export function createSnapshots({ clock, logger }: { clock: Clock; logger: Logger }): Snapshots {
  const tickers = new Map<object, Map<number, Ticker>>();

  function arm(ticker: Ticker, source: SnapshotSource, seconds: number): void {
    ticker.timer = clock.setTimer(() => void tick(ticker, source, seconds), seconds * 1000);
    unref(ticker.timer);
  }

  async function tick(ticker: Ticker, source: SnapshotSource, seconds: number): Promise<void> {
    try {
      // While all of them are held back nobody would get it.
      if ([...ticker.readers].some((reader) => reader.mode === 'open')) {
        const frames = (await source.read()).map((snapshot) => controlFrame('snapshot', snapshot));
        const payload = frames.length === 0 ? undefined : toPayload(frames);
        if (payload !== undefined) for (const reader of ticker.readers) reader.offer(payload);
      }
    } catch (error) {
      logger.warn({ err: error }, 'a snapshot for an event stream failed');
    }
    // Armed only now: a snapshot that takes longer than its interval is not asked for twice.
    if (ticker.readers.size > 0) arm(ticker, source, seconds);
  }

  return {
    join(source, seconds, reader) {
      const { subject } = source;
      const ofSource = tickers.get(subject) ?? new Map<number, Ticker>();
      tickers.set(subject, ofSource);
      let ticker = ofSource.get(seconds);
      if (ticker === undefined) {
        ticker = { readers: new Set(), timer: undefined };
        ofSource.set(seconds, ticker);
        arm(ticker, source, seconds);
      }
      const { readers } = ticker;
      readers.add(reader);
      return () => {
        readers.delete(reader);
        if (readers.size > 0) return;
        clock.clearTimer(ticker.timer);
        if (ofSource.get(seconds) === ticker) ofSource.delete(seconds);
        if (ofSource.size === 0) tickers.delete(subject);
      };
    },
  };
}

/** Lets the process end although the timer is still armed; timers of other clocks have nothing to let go of. */
export function unref(timer: unknown): void {
  (timer as { unref?: () => void } | undefined)?.unref?.();
}
