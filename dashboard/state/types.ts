/** The shapes of the API that the page reads, as its schemas have them: types alone, of which nothing is left in the bundle. */

import type { z } from 'zod';
import type { ItemDetail } from '../../src/schemas/item.ts';
import type { PipelineOverview } from '../../src/schemas/overview.ts';
import type { pipelineDetailSchema } from '../../src/schemas/pipeline.ts';
import type { ValuePreview } from '../../src/schemas/preview.ts';
import type { PipelineState, PipelineStats } from '../../src/schemas/stats.ts';
import type { StatsEvent } from '../../src/schemas/stats-event.ts';

export type { ShutdownReport } from '../../src/schemas/control.ts';
export type { ErrorGroup } from '../../src/schemas/error-groups.ts';
export type { FeedEvent, FeedView } from '../../src/schemas/feed.ts';
export type { HandsView } from '../../src/schemas/hands.ts';
export type { PipelineHistory } from '../../src/schemas/history.ts';
export type { ItemSummary, PipelineEvent, StatusEvent, WaitingFor } from '../../src/schemas/item.ts';
export type { LimiterView } from '../../src/schemas/limiter.ts';
export type { NodeView } from '../../src/schemas/nodes.ts';
export type { OperatorChange } from '../../src/schemas/operator-change.ts';
export type { MovedItems, StageChange, StageTuned } from '../../src/schemas/redefinition.ts';
export type { DashboardSnapshot, PipelineState, WorkerState } from '../../src/schemas/stats.ts';
export type { Validation } from '../../src/schemas/validation.ts';
export type { StatsEvent };

export type PipelineDetail = z.infer<typeof pipelineDetailSchema>;
export type Bottleneck = NonNullable<PipelineStats['bottleneck']>;

/** A line of the list of all pipelines. */
export interface PipelineLine {
  id: string;
  state: PipelineState;
  description?: string | null;
  stages?: readonly string[];
  itemsProcessed: number;
  itemsFailed: number;
  itemsInFlight: number;
  overview: PipelineOverview;
}

/** An item with the beginnings of its values alone. */
export type ItemPreview = Omit<ItemDetail, 'value' | 'input'> & { valuePreview?: ValuePreview; inputPreview?: ValuePreview };

export interface ServiceInfo {
  version: string;
  node: string;
  uptimeSeconds: number;
  role: string;
  store: { kind: string; isDurable: boolean };
}
