import type { ItemError, ItemStatus } from '../../../src/schemas/item.ts';

/** An item as it was fed. */
export interface Raw {
  /** undefined: the engine names it. */
  id: string | undefined;
  shown: string;
  metadata: string;
}

/** One feeding request, as the simulation made it. */
export interface FeedPlan {
  id: string;
  /** Index of the stage that it feeds into. */
  stage: number;
  priority: number;
  raws: Raw[];
  /** The first of `raws` that was neither seen to be accepted nor passed over as a duplicate. */
  next: number;
  lives: Life[];
}

/** One call of a task. */
export interface Execution {
  attempt: number;
  startedAt: number;
  isCalled: boolean;
  settled: 'no' | 'value' | 'error';
  /** What it returned, as text. */
  shown: string;
  error: unknown;
}

export type HookKind = 'onSuccess' | 'onFailure' | 'onSkip';

/** What the model knows of an item, from its feeding to its end. */
export interface Life {
  readonly id: string;
  readonly feed: FeedPlan;
  readonly raw: Raw;
  status: ItemStatus;
  isFinal: boolean;
  /** Its worker is done with it in its stage, and the next stage is to queue it. */
  hasLeft: boolean;
  stage: number;
  /** Which bounded room it takes while it is queued. */
  place: 'backlog' | 'handed' | 'none';
  queuedSeq: number;
  /** Milliseconds since the Unix epoch. */
  queuedAt: number;
  /** Whether it had begun in its stage before it was queued there last. */
  isBack: boolean;
  /** What came into the stage, and into the task that is next, as text. */
  stageValue: string;
  taskValue: string;
  task: number;
  /** Failed attempts of the current unit (task or stage). */
  failures: number;
  /** A task was called since it was last taken by a worker. */
  hasBegun: boolean;
  /** No attempt may begin before this instant of the monotonic clock. */
  notBefore: number;
  execution: Execution | null;
  lastTaskEvent: 'none' | 'start' | 'complete' | 'retry' | 'fail';
  /** The last attempt that failed. */
  failed: { error: unknown; isTimeout: boolean } | null;
  hooks: Record<HookKind, number>;
  isCancelRequested: boolean;
  isRetryRequested: boolean;
  error: ItemError | null;
  path: ItemStatus[];
}

export function createLife(id: string, feed: FeedPlan, raw: Raw): Life {
  return {
    id,
    feed,
    raw,
    status: 'queued',
    isFinal: false,
    hasLeft: false,
    stage: feed.stage,
    place: 'backlog',
    queuedSeq: 0,
    queuedAt: 0,
    isBack: false,
    stageValue: raw.shown,
    taskValue: raw.shown,
    task: 0,
    failures: 0,
    hasBegun: false,
    notBefore: 0,
    execution: null,
    lastTaskEvent: 'none',
    failed: null,
    hooks: { onSuccess: 0, onFailure: 0, onSkip: 0 },
    isCancelRequested: false,
    isRetryRequested: false,
    error: null,
    path: [],
  };
}
