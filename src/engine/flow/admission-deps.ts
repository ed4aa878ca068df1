import type { FeedOptions } from '../../schemas/control.ts';
import type { PipelineState } from '../../schemas/stats.ts';
import type { FeedRequest } from '../contract/requests.ts';
import type { Feed } from '../model/feed.ts';
import type { Stage } from '../model/model.ts';
import type { Tracer } from '../ports.ts';
import type { DueQueue } from '../time/due-queue.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { ValueRule } from '../values/value-rule.ts';
import type { FeedRegistry } from './feed-registry.ts';
import type { Items } from './item-index.ts';
import type { Ledger } from './ledger.ts';
import type { Scheduler } from './scheduler.ts';

export interface AdmissionDeps {
  pipelineId: string;
  time: EngineClock;
  dues: DueQueue;
  index: () => Items;
  scheduler: Scheduler;
  feeds: FeedRegistry;
  /** The prefix of generated item ids. */
  idPrefix: string;
  /** The rule that items must satisfy; undefined: none. */
  values: ValueRule | undefined;
  /** Called with the size of each large item that came in, which has to be stored. */
  onLarge: (size: number) => void;
  state: () => PipelineState;
  stages: () => readonly Stage[];
  backlogCapacity: number;
  /** Seconds until this many places will be free, estimated from the drain rate; `stage` is where the items would go. */
  secondsUntilRoom: (places: number, stage: Stage) => number;
  /** Called when a feed is about to change. */
  onFed: (feed: Feed) => void;
  ledger: Ledger;
  /** null without spans. */
  tracer: Tracer | null;
}

/** A feeding request, as far as the feed that it opens is concerned. */
export type Opening = FeedOptions & Pick<FeedRequest, 'maker' | 'trace'>;

/** The longest wait for room, and the signal that the caller has gone. */
export interface RoomWait {
  waitSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
}
