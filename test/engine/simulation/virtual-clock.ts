import type { Clock } from '../../../src/engine/ports.ts';

/** Who set a timer: the engine through its port, a package through the globals, or a task of the simulation. */
export type TimerOwner = 'engine' | 'global' | 'task';

interface Timer {
  at: number;
  order: number;
  owner: TimerOwner;
  run: () => void;
}

const EPOCH = Date.UTC(2026, 0, 1);
/** The engine takes 0 for "never", so time does not begin there. */
const BEGINNING = 1000;

const realSetImmediate = setImmediate;

/**
 * Time that moves only when it is told to. Timers behave as Node's do: whole milliseconds of the event loop's time, at
 * least one, so that they can fire a little before the instant that was meant; equal instants in the order of their setting.
 *
 * {@link VirtualClock.install} puts it in the place of the globals, because p-queue takes its time from there.
 */
export class VirtualClock implements Clock {
  private time = BEGINNING;
  private order = 0;
  private readonly timers: Timer[] = [];
  private deferred: (() => void)[] = [];
  /** What a timer or a deferred call threw. */
  onThrow: (error: unknown) => void = () => undefined;

  now(): number {
    return Math.floor(EPOCH + this.time - BEGINNING);
  }

  monotonic(): number {
    return this.time;
  }

  /** The instant as the engine writes it into its events. */
  wall(monotonic = this.time): number {
    return EPOCH + monotonic - BEGINNING;
  }

  setTimer(run: () => void, ms: number): Timer {
    return this.add(run, ms, 'engine');
  }

  clearTimer(handle: unknown): void {
    const at = this.timers.indexOf(handle as Timer);
    if (at >= 0) this.timers.splice(at, 1);
  }

  defer(run: () => void): void {
    this.deferred.push(run);
  }

  add(run: () => void, ms: number, owner: TimerOwner): Timer {
    const wait = ms >= 1 && ms <= 2 ** 31 - 1 ? Math.trunc(ms) : 1;
    const timer: Timer = { at: Math.floor(this.time) + wait, order: ++this.order, owner, run };
    let place = this.timers.length;
    while (place > 0 && (this.timers[place - 1] as Timer).at > timer.at) place--;
    this.timers.splice(place, 0, timer);
    return timer;
  }

  count(...owners: TimerOwner[]): number {
    return this.timers.filter((timer) => owners.includes(timer.owner)).length;
  }

  /** When the next timer fires; Infinity without one. */
  get next(): number {
    return this.timers[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** A task computes for so long: nothing else gets a turn, timers come late. */
  compute(ms: number): void {
    this.time += ms;
  }

  /** Lets everything happen that needs no time to pass. */
  async settle(): Promise<void> {
    await turn();
    while (this.deferred.length > 0) {
      const batch = this.deferred;
      this.deferred = [];
      for (const run of batch) this.call(run);
      await turn();
    }
  }

  /** Fires what falls due in the next `ms`, one timer after the other, each in a turn of its own followed by `afterEach`. */
  async advance(ms: number, afterEach: () => void): Promise<void> {
    const target = this.time + ms;
    while (this.next <= target) {
      await this.step();
      afterEach();
    }
    this.time = Math.max(this.time, target);
  }

  /** Goes to the next timer and fires it; false when there is none. */
  async step(): Promise<boolean> {
    const timer = this.timers.shift();
    if (timer === undefined) return false;
    this.time = Math.max(this.time, timer.at);
    this.call(timer.run);
    await this.settle();
    return true;
  }

  /** Replaces the globals that read or wait for time, until the returned function is called. */
  install(): () => void {
    const { setTimeout, clearTimeout, setInterval } = globalThis;
    const { now } = Date;
    const virtual = {
      setTimeout: (run: () => void, ms = 0) => this.add(run, ms, 'global'),
      clearTimeout: (handle: unknown) => this.clearTimer(handle),
      setInterval: () => {
        throw new Error('nothing in the engine has a use for an interval');
      },
    };
    Object.assign(globalThis, virtual);
    Date.now = () => this.now();
    return () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval });
      Date.now = now;
    };
  }

  private call(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.onThrow(error);
    }
  }
}

/** All microtasks, and theirs, have run when the real event loop comes round. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    realSetImmediate(resolve);
  });
}
