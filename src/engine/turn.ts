import type { EngineClock } from './engine-clock.ts';

/** After so long the rest of the process has its turn. */
const TURN_MS = 5;
/** How often the wall clock is compared with the monotonic one, while there is work. */
const SYNC_MS = 50;

/** The turn of the event loop that a pipeline works in, as far as it has to know of it. */
export class Turn {
  private readonly time: EngineClock;
  private readonly onNext: () => void;
  private isMarked = false;
  private startedAt = 0;
  private syncedAt = Number.NEGATIVE_INFINITY;

  /** `onNext` is called after a turn in which somebody asked whether it is over. */
  constructor(time: EngineClock, onNext: () => void) {
    this.time = time;
    this.onNext = onNext;
  }

  /** Whether it has been long enough, counted from when that was first asked: a turn that is never asked of needs no call after it. */
  isOver(): boolean {
    const { clock } = this.time;
    const now = clock.monotonic();
    if (this.isMarked) return now - this.startedAt > TURN_MS;
    this.isMarked = true;
    this.startedAt = now;
    clock.defer(() => {
      this.isMarked = false;
      this.onNext();
    });
    return false;
  }

  /** To be called when work begins. */
  sync(): void {
    const { time } = this;
    if (time.now - this.syncedAt < SYNC_MS) return;
    time.sync();
    this.syncedAt = time.now;
  }
}
