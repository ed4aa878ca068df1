import type { Clock } from '../../../src/engine/ports.ts';

interface Call {
  fn: () => void;
  isOver: boolean;
  timer?: unknown;
}

/** The clock of a process that can be stopped, woken and killed, and whose wall clock is set apart. Whatever reaches the process comes through it. */
export class NodeClock implements Clock {
  private readonly world: Clock;
  private readonly random: () => number;
  private readonly aheadMs: number;
  private held: Call[] | null = null;
  isDead = false;

  constructor(world: Clock, random: () => number, aheadMs: number) {
    this.world = world;
    this.random = random;
    this.aheadMs = aheadMs;
  }

  get isStopped(): boolean {
    return this.held !== null;
  }

  now(): number {
    return this.world.now() + this.aheadMs;
  }

  monotonic(): number {
    return this.world.monotonic();
  }

  setTimer(fn: () => void, ms: number): Call {
    const call: Call = { fn, isOver: false };
    call.timer = this.world.setTimer(() => this.deliver(call), ms);
    return call;
  }

  clearTimer(handle: unknown): void {
    if (handle === undefined) return;
    const call = handle as Call;
    call.isOver = true;
    this.world.clearTimer(call.timer);
  }

  defer(fn: () => void): void {
    this.world.defer(() => this.deliver({ fn, isOver: false }));
  }

  /** An answer that reaches the process: when it is woken, if it is stopped. */
  arrive(fn: () => void): void {
    this.deliver({ fn, isOver: false });
  }

  stop(): void {
    this.held ??= [];
  }

  /** Timers and answers that came meanwhile all run now, in any order. */
  wake(): void {
    const held = this.held ?? [];
    this.held = null;
    for (let left = held.length; left > 0; left--) {
      const [call] = held.splice(Math.floor(this.random() * left), 1);
      if (call !== undefined) this.world.defer(() => this.deliver(call));
    }
  }

  kill(): void {
    this.isDead = true;
    this.held = null;
  }

  private deliver(call: Call): void {
    if (this.isDead || call.isOver) return;
    if (this.held !== null) {
      this.held.push(call);
      return;
    }
    call.isOver = true;
    call.fn();
  }
}
