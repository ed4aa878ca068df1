import { performance } from 'node:perf_hooks';
import { DurationHistogram } from '../../engine/index.ts';

const SAMPLE_MS = 50;
/** A timer that is less late than this says nothing of the event loop: timers count in whole milliseconds. */
const TIMER_GRAIN_MS = 1;
const BOUNDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * How late timers are, as buckets that only grow. `monitorEventLoopDelay` of Node has quantiles since it was reset, of which two readers would
 * each see a half. By the clock of the machine, whatever the clock of the service is.
 */
export class LoopDelay {
  readonly histogram = new DurationHistogram(BOUNDS);
  private timer: NodeJS.Timeout | undefined;
  private due = 0;

  start(): void {
    this.stop();
    this.plan();
  }

  /** Idempotent. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private plan(): void {
    this.due = performance.now() + SAMPLE_MS;
    this.timer = setTimeout(() => {
      this.histogram.add(Math.max(0, performance.now() - this.due - TIMER_GRAIN_MS) / 1000);
      this.plan();
    }, SAMPLE_MS);
    this.timer.unref();
  }
}
