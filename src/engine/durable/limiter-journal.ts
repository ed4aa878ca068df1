import type { Kept, LimiterKeeper } from '../limits/kept.ts';
import { KEPT } from '../limits/shared-limiter.ts';
import type { Clock } from '../ports.ts';
import { OF_STORE, type PipelineWrites } from '../store.ts';
import { SET_RIGHT_MS } from './clock-shift.ts';
import type { Changing, Flusher } from './flusher.ts';

/**
 * Has the flusher write what has changed of limiters, with what else it writes: however often a window has moved since the last write, it is written once.
 * What began since then is not counted after a crash.
 */
export class LimiterJournal implements Changing, LimiterKeeper {
  readonly capturedCharacters = 0;
  private readonly flusher: Flusher;
  private readonly clock: Clock;
  private readonly anchor: () => number;
  private readonly changed = new Set<Kept>();

  /** `anchor`: see {@link EngineClock.anchorAt}. */
  constructor(flusher: Flusher, clock: Clock, anchor: () => number) {
    this.flusher = flusher;
    this.clock = clock;
    this.anchor = anchor;
    flusher.add(this);
  }

  touch(part: Kept): void {
    this.changed.add(part);
    this.flusher.stir();
  }

  capture(): PipelineWrites | null {
    if (this.changed.size === 0) return null;
    const lasting = (monotonic: number): number => monotonic + this.anchor();
    const facts = [...this.changed].map((part): [string, string | null] => [part.keptAs, part.kept(lasting)]);
    this.changed.clear();
    const now = this.clock.now();
    const drift = Math.round(now - lasting(this.clock.monotonic()));
    facts.push([KEPT, JSON.stringify({ lastAt: now, drift: Math.abs(drift) < SET_RIGHT_MS ? 0 : drift })]);
    return {
      ...{ pipeline: OF_STORE, items: null, feeds: [], removedFeeds: [], answers: [], removedAnswers: [], ends: null, endsBefore: 0 },
      ...{ emptied: [], removed: [], events: null, eventsBefore: 0, parkedShift: 0, facts },
    };
  }

  written(): void {
    // It is captured as a whole.
  }

  end(): void {
    this.changed.clear();
  }
}
