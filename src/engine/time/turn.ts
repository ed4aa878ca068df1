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
    const now = this.time.fresh();
    if (!this.wasAsked) {
      this.wasAsked = true;
      this.startedAt = since ?? now;
      // All pipelines go on in turn, so that together they do not hold the rest of the process either.
      this.queue.add(this.next);
    }
    return now - this.startedAt > TURN_MS;
  }

  private readonly next = (): void => {
    this.wasAsked = false;
    this.onNext();
  };

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

/** Lets work of all pipelines on that nobody holds: it has its turn in the order in which it came. */
export interface TurnGate {
  /**
   * Resolves in a turn that has time left; undefined when this one has, or when nobody but `who` has entered in it. What follows in microtasks counts as
   * part of the turn.
   */
  enter(who: object): Promise<void> | undefined;
}

const gates = new WeakMap<Clock, TurnGate>();

/** One for all who share a clock. */
export function turnGate(clock: Clock): TurnGate {
  let gate = gates.get(clock);
  if (gate === undefined) {
    gate = createTurnGate(clock);
    gates.set(clock, gate);
  }
  return gate;
}

function createTurnGate(clock: Clock): TurnGate {
  const waiting = new Set<() => void>();
  let isCounting = false;
  let startedAt = 0;
  /** The one that has entered first in this turn. */
  let first: object | undefined;

  function isOver(who?: object): boolean {
    const now = clock.monotonic();
    if (!isCounting) {
      isCounting = true;
      startedAt = now;
      first = who;
      clock.defer(() => {
        isCounting = false;
      });
    }
    return now - startedAt > TURN_MS && (first === undefined || first !== who);
  }

  /** Lets the next one in. It is called once for each, so that whoever is let in has done its work before the one after it has its chance. */
  function letIn(): void {
    if (isOver()) {
      clock.defer(letIn);
      return;
    }
    const next = waiting.values().next().value as () => void;
    waiting.delete(next);
    next();
  }

  return {
    enter(who) {
      if (waiting.size === 0 && !isOver(who)) return undefined;
      return new Promise((resolve) => {
        waiting.add(resolve);
        clock.defer(letIn);
      });
    },
  };
}
