import type { WaitingReason } from '../../schemas/item.ts';
import type { TaskSpec } from '../definition/calls.ts';
import type { Release, SharedWait } from '../limits/gate.ts';
import type { ProcessSpan } from '../ports.ts';
import type { Due } from '../time/due-queue.ts';
import type { Advanced, Attempt, Lane, Outcome, Runner, StageItem, StagePlace } from './hinge.ts';

/**
 * A slot of a stage, with the state of the item in it. A runtime puts the item in and takes it out; in between, only the stage's {@link Runner}
 * changes the other fields, one attempt after the other.
 */
export class Slot<Item extends StageItem = StageItem, Place extends StagePlace = StagePlace> {
  name: string;
  readonly stage: Place;
  /** The runner of its item: that of the stage when the slot got the item. */
  runner: Runner<Item, this>;
  item: Item | null = null;

  // The attempt that runs.
  lane: Lane;
  /** The task that is executed. */
  task: TaskSpec | null = null;
  /** The span of the item in this stage, from {@link Runner.run} to the outcome; null without a tracer. */
  span: ProcessSpan | null = null;
  /** The context that the handler was given. */
  attempt: Attempt | null = null;
  /** When the task began; while it is held, when it was called. */
  startedAt = 0;
  /** True from the call of a task that runs elsewhere until it begins there. */
  isHeld = false;
  /** The task that an attempt of the whole stage begins with, set with the item: not the first one when the item has begun by another definition. */
  first = 0;
  /** The value for the next task. */
  value: unknown = undefined;
  timeout: Due | null = null;
  release: Release | null = null;
  /** Holds the shared limiter that the attempt runs under. */
  hold: ((seconds: number) => void) | null = null;
  /** The wait for a limit, which aborting gives up; null otherwise. */
  limitWait: AbortController | null = null;
  /** True while it lets others have a turn before its next task. */
  isBetween = false;
  /** True while a hook or predicate is awaited: the attempt's fate is decided, or not yet begun. */
  inCallback = false;
  cancelAfterCallback = false;
  /** The outcome that an awaited hook was told. */
  decided: Outcome | null = null;
  /** The outcome of an item whose tasks have succeeded and that has no hook; its value is that of the item until the slot is free. */
  readonly advanced: Advanced = { kind: 'advance', value: undefined };
  /** The time in which tasks ran in this slot, for all items. */
  busyMs = 0;
  /** How long its item has waited: until the slot got it, which the runtime sets, and since then for limits and threads. */
  waitedMs = 0;
  /** Since when it waits for a limit. */
  waitsSince = 0;

  // What looking at it shows.
  taskStatus: string | null = null;
  taskStatusAt = Number.NEGATIVE_INFINITY;
  waitingFor: WaitingReason | null = null;
  waitingTask: TaskSpec | null = null;
  /** The shared limiter's part of that wait. */
  sharedWait: SharedWait | null = null;

  constructor(name: string, stage: Place, runner: Runner<Item, Slot<Item, Place>>) {
    this.name = name;
    this.stage = stage;
    this.runner = runner;
    this.lane = this.createLane();
  }

  /** Gives up on whatever the current lane still waits for. */
  renewLane(): void {
    this.lane.alive = false;
    this.lane = this.createLane();
  }

  private createLane(): Lane {
    const lane: Lane = {
      alive: true,
      onValue: (value) => {
        if (lane.alive) this.runner.onValue(this, value);
        else this.runner.onLate(this);
      },
      onError: (error) => {
        if (lane.alive) this.runner.onError(this, error);
        else this.runner.onLate(this);
      },
    };
    return lane;
  }
}
