import type { ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { Operator } from '../contract/operator.ts';
import type { Core } from '../flow/core.ts';
import { KEEPS_NOTHING } from '../model/keeper.ts';
import type { Worker } from '../model/model.ts';
import type { Due } from '../time/due-queue.ts';
import { type Ending, laterOf } from './endings.ts';
import type { Lifecycle } from './lifecycle.ts';
import { tellUnchanged } from './told.ts';

/** How many of the items left a report names. */
const IDS_NAMED = 100;

/** The harder one overtakes the softer one. */
export const STRENGTH: Record<ShutdownMode, number> = { drain: 0, graceful: 1, force: 2 };

/**
 * Ends one pipeline. The steps, and why each is safe:
 *
 * 1. `drain` only: join, so every item ends.
 * 2. `graceful`: no worker takes another item; who waits for room in the backlog is refused; who only waits for a limit
 *    has begun nothing and gives its item back.
 * 3. Workers that run end their stage. Their items go to the next queue even when it is full: room matters no more.
 * 4. `force`, or the time is up: signals abort; the items go back to where they were before the attempt, which is not counted.
 * 5. The hooks of feeds that are done are called to their end; those that `force` or the time limit cuts short, a durable store knows of.
 * 6. Timers of retry waits stop; the items keep their due instants for the next start.
 *
 * Nothing is dropped: what is unfinished stays queued, and the report counts and names it. A later, harder mode
 * overtakes a softer one.
 */
export class Shutdown {
  private readonly core: Core;
  private readonly lifecycle: Lifecycle;
  private mode: ShutdownMode = 'graceful';
  private ending: Ending = 'stop';
  private running: Promise<ShutdownReport> | null = null;
  private hardened: () => void = () => undefined;
  private limit: Due | null = null;
  /** The operator who asked for it, until the event that says so. */
  private operator: Operator | undefined;
  private tooLate: () => void = () => undefined;

  private readonly hooksEnded: () => Promise<void>;

  /** `hooksEnded` resolves when the hooks of feeds that are done have been called. */
  constructor(core: Core, lifecycle: Lifecycle, hooksEnded: () => Promise<void>) {
    this.core = core;
    this.lifecycle = lifecycle;
    this.hooksEnded = hooksEnded;
  }

  /** Without a time limit it waits as long as it takes. A harder mode brings its own limit, counted from now. `ending`: what who waits is told. */
  shutdown(mode: ShutdownMode, timeoutSeconds: number | undefined, ending: Ending, operator?: Operator): Promise<ShutdownReport> {
    if (this.running !== null) {
      this.ending = laterOf(this.ending, ending);
      if (STRENGTH[mode] > STRENGTH[this.mode]) {
        this.mode = mode;
        this.setLimit(timeoutSeconds);
        // At once: an item that ends before the next turn must not let another one begin.
        this.lifecycle.stopHandingOut(this.ending, operator);
        this.hardened();
      } else tellUnchanged(this.core, operator, { change: 'stopping', before: { state: this.core.state } });
      return this.running;
    }
    this.mode = mode;
    this.ending = ending;
    this.operator = operator;
    this.lifecycle.isShuttingDown = true;
    this.running = this.end(timeoutSeconds).finally(() => {
      this.running = null;
      this.lifecycle.isShuttingDown = false;
    });
    return this.running;
  }

  /** Ends a shutdown that is under way, since the pipeline goes on elsewhere. */
  abandon(): void {
    this.tooLate();
  }

  private async end(timeoutSeconds: number | undefined): Promise<ShutdownReport> {
    const { core } = this;
    const endedBefore = core.ledger.ended;
    const late = new Promise<'late'>((resolve) => {
      this.tooLate = () => resolve('late');
    });
    this.setLimit(timeoutSeconds);
    let timedOut = false;
    while (this.mode !== 'force') {
      const harder = new Promise<'harder'>((resolve) => {
        this.hardened = () => resolve('harder');
      });
      const soft = (this.mode === 'drain' ? this.drain() : this.letGo()).then(this.hooksEnded).then(() => 'done' as const);
      const first = await Promise.race([soft, harder, late]);
      if (first === 'done') break;
      if (first === 'late') {
        timedOut = true;
        this.mode = 'force';
      }
    }
    this.setLimit(undefined);
    const aborted = this.mode === 'force' ? this.abortAll() : 0;
    this.lifecycle.settleStopped(this.ending);
    const left = core.ledger.inFlight;
    return {
      mode: this.mode,
      finished: core.ledger.ended - endedBefore,
      leftQueued: left,
      aborted,
      notKept: core.keeper === KEEPS_NOTHING ? left : 0,
      notKeptIds: core.keeper === KEEPS_NOTHING && left > 0 ? this.unfinishedIds() : [],
      timedOut,
    };
  }

  /** The first step tells of the operator, and no other. */
  private takeOperator(): Operator | undefined {
    const { operator } = this;
    this.operator = undefined;
    return operator;
  }

  private setLimit(timeoutSeconds: number | undefined): void {
    const { dues, time } = this.core;
    if (this.limit !== null) dues.cancel(this.limit);
    this.limit = timeoutSeconds === undefined ? null : dues.add(time.tick() + timeoutSeconds * 1000, () => this.tooLate());
  }

  private async drain(): Promise<void> {
    const { core, lifecycle } = this;
    if ((core.state === 'created' || core.state === 'stopped') && core.ledger.inFlight > 0) {
      lifecycle.isShuttingDown = false;
      lifecycle.start();
      lifecycle.isShuttingDown = true;
    }
    // Cut short by a harder mode, it rejects: that mode's own wait goes on instead.
    await lifecycle.join(this.takeOperator()).catch(() => undefined);
  }

  /** Resolves when no worker holds an item. */
  private letGo(): Promise<void> {
    const { core, lifecycle } = this;
    core.time.tick();
    lifecycle.stopHandingOut(this.ending, this.takeOperator());
    return new Promise((resolve) => {
      const check = (): void => {
        for (const worker of this.busy()) {
          if (worker.blocked !== null) core.scheduler.handOver.force(worker);
          else if (worker.limitWait !== null || worker.isAssigned) this.abort(worker);
        }
        if (core.inProgress > 0) return;
        lifecycle.watchWorkers(null);
        resolve();
      };
      lifecycle.watchWorkers(() => queueMicrotask(check));
      check();
    });
  }

  private abortAll(): number {
    const { core, lifecycle } = this;
    core.time.tick();
    lifecycle.stopHandingOut(this.ending, this.takeOperator());
    let aborted = 0;
    for (const worker of this.busy()) {
      // The end of another item may have paused the stage, which took this one back.
      if (worker.item === null) continue;
      if (worker.task !== null) aborted++;
      if (worker.blocked !== null) core.scheduler.handOver.force(worker);
      else this.abort(worker);
    }
    return aborted;
  }

  private abort(worker: Worker): void {
    this.core.scheduler.takeBack(worker);
    // Its hook was told already that the stage is done, and the next one is full.
    if (worker.blocked !== null) this.core.scheduler.handOver.force(worker);
  }

  private busy(): Worker[] {
    return this.core.allStages.flatMap((stage) => stage.workers.filter((worker) => worker.item !== null));
  }

  private unfinishedIds(): string[] {
    const ids: string[] = [];
    for (const item of this.core.index) {
      if (!item.isFinal && ids.push(item.id) === IDS_NAMED) break;
    }
    return ids;
  }
}
