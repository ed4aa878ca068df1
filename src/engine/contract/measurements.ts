import type { PipelineState } from '../../schemas/stats.ts';

/** How many durations there were up to each bound, not summed up: each counts in one place of `counts`. */
export interface HistogramReading {
  /** Ascending, in seconds. */
  readonly bounds: readonly number[];
  /** One more than there are bounds: the last one is of what is above all of them. */
  readonly counts: readonly number[];
  /** The sum of all durations, in seconds. */
  readonly sum: number;
}

/**
 * The measurements of a host at one moment, for whoever watches it from outside. Counters begin at 0 with the process and never fall while it lives,
 * whatever happens to definitions, items and the store; what is not there any more is left out.
 */
export interface HostMeasurements {
  pipelines: PipelineMeasurements[];
  limiters: LimiterMeasurements[];
  store: StoreMeasurements;
}

export interface PipelineMeasurements {
  pipelineId: string;
  state: PipelineState;
  /** Items that were accepted, and those that were not because an item had their id. */
  accepted: number;
  duplicates: number;
  inFlight: number;
  /** Items that have ended, by status; one that is retried can end again. */
  ended: { completed: number; failed: number; cancelled: number };
  /** Failed items by the type of their error: bounded, the rest is under `other`. */
  errors: { errorType: string; count: number }[];
  /** Executions that go on although they were given up. */
  handlersIgnoringSignal: number;
  /** Names of the shared limiters that its tasks use. */
  limiters: ReadonlySet<string>;
  /** In their order. Stages that have the same name, since a definition has replaced one by another, are one. */
  stages: StageMeasurements[];
}

export interface StageMeasurements {
  stage: string;
  isPaused: boolean;
  /** Items that have left it, by how. */
  outcomes: Readonly<Record<'completed' | 'skipped' | 'failed' | 'cancelled', number>>;
  /** Attempts that failed and were followed by another one. */
  retries: number;
  /** Items in its queue, and between two attempts. */
  queued: number;
  retrying: number;
  /** The age of the item that has been there longest; 0 if there is none. */
  oldestItemAgeSeconds: number;
  /** By what they do. */
  workers: Readonly<Record<'running' | 'limited' | 'blocked' | 'idle', number>>;
  /** How long items waited until their tasks ran: in the queue, and with a worker for limits and threads. */
  wait: HistogramReading;
  tasks: TaskMeasurements[];
}

/** Executions of a task in a stage. */
export interface TaskMeasurements {
  task: string;
  completed: HistogramReading;
  failed: HistogramReading;
}

export interface LimiterMeasurements {
  limiter: string;
  inUse: number;
  waiting: number;
  /** Whether it, or one of its keys, is held. */
  isHeld: boolean;
}

export interface StoreMeasurements {
  kind: string;
  /** Whether it can be read and written now. */
  isUp: boolean;
  /** The writes, from the first try to the one that succeeded; null for a store that keeps nothing. */
  flushes: HistogramReading | null;
  failedFlushes: number;
  usage: StoreUsage | null;
}

/** The room that a store takes. */
export interface StoreUsage {
  files: { file: string; bytes: number }[];
  diskFreeBytes: number;
}
