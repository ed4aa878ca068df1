import type { PipelineDescription } from '../contract/runtime.ts';
import type { Core } from '../flow/core.ts';
import type { LedgerState } from '../flow/ledger.ts';
import { SET_RIGHT_MS } from './clock-shift.ts';
import type { RetirementState } from './retirement.ts';

/** The counters of a pipeline, as they are stored. */
export interface StoredCounters extends RetirementState, LedgerState {
  lastSequence: number;
  lastOrd: number;
  lastOrdinal: number;
  forgottenFeeds: number;
  lastEvent: number;
  hasLookalikes: boolean;
  /** The instant of these numbers, in milliseconds since the Unix epoch. Earlier versions did not say. */
  at?: number;
  /** How far the clock was set while the process ran by then, in milliseconds; left out when it was not. */
  drift?: number;
  /** By how much the wall clock is ahead of the time by which idempotency keys age, see key-clock.ts; absent when it was never set. */
  keysLag?: number;
  /** True: each event up to the last one has its place in the common order of all pipelines. Earlier versions gave them none. */
  areOrdered?: boolean;
  /** For each stage its number, and how many items it has completed, failed, skipped and retried. */
  stages: [number, number, number, number, number][];
}

/** How many items of a stage wait, are parked and run. A store does not have these numbers: it only has the rows. */
export interface StageLoad {
  name: string;
  waiting: number;
  parked: number;
  inProgress: number;
}

/** The numbers of a pipeline at one moment. */
export interface Figures {
  readonly counters: StoredCounters;
  /** One for each stage, in the order of `counters.stages`. */
  readonly loads: readonly StageLoad[];
}

/** The part of a pipeline's description that its definition and its operators determine. */
export type Operated = Pick<
  PipelineDescription,
  | 'definition'
  | 'definitionSource'
  | 'fileDiffers'
  | 'state'
  | 'stateReason'
  | 'workers'
  | 'pausedStages'
  | 'pausedReasons'
  | 'overrides'
  | 'secrets'
>;

export function figuresOf(
  core: Core,
  retirement: RetirementState,
  { hasLookalikes, keysLag }: { hasLookalikes: boolean; keysLag: number },
): Figures {
  const { ledger, feeds, admission, scheduler, events, allStages } = core;
  // Clocks are never quite the same; what an operator sets is seconds and more.
  const drift = Math.abs(core.time.drift) < SET_RIGHT_MS ? 0 : Math.round(core.time.drift);
  return {
    counters: {
      ...retirement,
      ...ledger.state,
      lastSequence: admission.lastSequence,
      lastOrd: scheduler.lastOrd,
      lastOrdinal: feeds.lastOrdinal,
      forgottenFeeds: feeds.forgotten,
      lastEvent: events.last,
      hasLookalikes,
      at: core.time.wall(core.time.now),
      ...(drift !== 0 && { drift }),
      ...(keysLag !== 0 && { keysLag }),
      areOrdered: true,
      stages: allStages.map((stage) => [stage.no, stage.completed, stage.failed, stage.skipped, stage.retried]),
    },
    loads: allStages.map(({ name, waiting, parked, inProgress }) => ({ name, waiting, parked, inProgress })),
  };
}
