import type { PipelineDescription } from '../contract/runtime.ts';
import type { Core } from '../flow/core.ts';
import type { LedgerState } from '../flow/ledger.ts';
import type { RetirementState } from './retirement.ts';

/** Counters and the like, as they are kept. */
export interface StoredCounters extends RetirementState, LedgerState {
  lastSequence: number;
  lastOrd: number;
  lastOrdinal: number;
  forgottenFeeds: number;
  lastEvent: number;
  hasLookalikes: boolean;
  /** Of each stage its number, and how many items it has completed, failed, skipped, and retried. */
  stages: [number, number, number, number, number][];
}

/** How many items are where in a stage, which a store tells from its rows only. */
export interface StageLoad {
  name: string;
  waiting: number;
  parked: number;
  inProgress: number;
}

/** The numbers of a pipeline at one moment. */
export interface Figures {
  readonly counters: StoredCounters;
  /** In the order of `counters.stages`. */
  readonly loads: readonly StageLoad[];
}

/** What operators and its definition have made of a pipeline. */
export type Operated = Pick<PipelineDescription, 'definition' | 'state' | 'workers' | 'pausedStages' | 'overrides' | 'secrets'>;

export function figuresOf(core: Core, retirement: RetirementState, hasLookalikes: boolean): Figures {
  const { ledger, feeds, admission, scheduler, events, allStages } = core;
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
      stages: allStages.map((stage) => [stage.no, stage.completed, stage.failed, stage.skipped, stage.retried]),
    },
    loads: allStages.map(({ name, waiting, parked, inProgress }) => ({ name, waiting, parked, inProgress })),
  };
}
