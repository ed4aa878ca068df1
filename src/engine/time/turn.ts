import type { Clock } from '../ports.ts';
import type { EngineClock } from './engine-clock.ts';

/** After so long the rest of the process has its turn. */
export const TURN_MS = 5;
/** How often the wall clock is compared with the monotonic one, while there is work. */
const SYNC_MS = 50;

/** The turn of the event loop that a pipeline works in, as far as it has to know of it. */
export class Turn {
  private readonly time: EngineClock;
  private readonly onNext: () => void;
  /** True when somebody has asked whether this turn is over. */
  wasAsked = false;
  private startedAt = 0;
  private syncedAt = Number.NEGATIVE_INFINITY;
  /** The queue for work that starts in a turn of its own. */
  readonly queue: TurnQueue;

  /** `onNext` is called after a turn in which somebody asked whether it is over. */
  constructor(time: EngineClock, onNext: () => void) {
    this.time = time;
    this.onNext = onNext;
    this.queue = turnQueue(time.clock);
  }

  /**
   * Whether it has been long enough, counted from when that was first asked, or from `since` when the asker knows that the turn goes back
   * that far: a turn that is never asked of needs no call after it.
   */
  isOver(since?: number): boolean {
    const { clock } = this.time;
    const now = clock.monotonic();
    if (!this.wasAsked) {
      this.wasAsked = true;
      this.startedAt = since ?? now;
      clock.defer(() => {
        this.wasAsked = false;
        this.onNext();
      });
    }
    return now - this.startedAt > TURN_MS;
  }

  /** To be called when work begins. */
  sync(): void {
    const { time } = this;
    if (time.now - this.syncedAt < SYNC_MS) return;
    time.sync();
    this.syncedAt = time.now;
  }
}

/** Work of all pipelines that may take long: a turn begins as much of it as fits, and one piece at least. */
export interface TurnQueue {
  add(work: () => void): void;
}

const queues = new WeakMap<Clock, TurnQueue>();

/** One for all who share a clock: deferred one by one, all of it would run in the same turn. */
export function turnQueue(clock: Clock): TurnQueue {
  let queue = queues.get(clock);
  if (queue === undefined) {
    queue = createTurnQueue(clock);
    queues.set(clock, queue);
  }
  return queue;
}

function createTurnQueue(clock: Clock): TurnQueue {
  const waiting = new Set<() => void>();
  let isPlanned = false;

  function plan(): void {
    if (isPlanned || waiting.size === 0) return;
    isPlanned = true;
    clock.defer(run);
  }

  function run(): void {
    isPlanned = false;
    const startedAt = clock.monotonic();
    try {
      for (const work of waiting) {
        waiting.delete(work);
        work();
        if (clock.monotonic() - startedAt > TURN_MS) break;
      }
    } finally {
      plan();
    }
  }

  return {
    add(work) {
      waiting.add(work);
      plan();
    },
  };
}
