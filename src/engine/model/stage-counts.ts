/** The counters of a stage that statistics show. */
export class StageCounts {
  inProgress = 0;
  parked = 0;
  /** The latest instant at which one of those that were parked lately comes back; 0 when none is parked. */
  parkedUntil = 0;
  completed = 0;
  failed = 0;
  skipped = 0;
  retried = 0;
}

/** The figures of a worker that a store keeps. */
export interface WorkerFigures {
  itemsProcessed: number;
  itemsFailed: number;
  busyMs: number;
  lastActive: number;
}
