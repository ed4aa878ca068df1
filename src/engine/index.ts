/**
 * The pipeline engine: stages, workers, retries, limits, events, statistics. No HTTP, no I/O, no npm package but p-queue.
 * This is the only entry for the rest of Sluice (with ports.ts), and the library for those who embed it.
 *
 * As a library: `new Pipeline({ stages })`. As the middle of a service: {@link createLocalHost}.
 */

// What the methods of the library take and answer with.
export type { FeedReceipt, ShutdownMode, ShutdownReport } from '../schemas/control.ts';
export type { PipelineDefinition, RateLimit, StageDefinition } from '../schemas/definition.ts';
export type { DoneFeed, FeedEvent } from '../schemas/feed.ts';
export type { ItemDetail, ItemError, ItemStatus, PipelineEvent, PipelineResult, StatusEvent, TaskEvent } from '../schemas/item.ts';
export type { ErrorCode, Fault } from '../schemas/problem.ts';
export type { DashboardSnapshot, ErrorSummary, PipelineState, PipelineStats, WorkerMetrics, WorkerState } from '../schemas/stats.ts';
export * from './contract/errors.ts';
export * from './contract/host.ts';
export { revive } from './contract/revive.ts';
export * from './contract/runtime.ts';
export * from './contract/task.ts';
export { STRENGTH } from './control/shutdown.ts';
export type { StageOptions } from './definition/stage-spec.ts';
export * from './definition/task-registry.ts';
export type { LocalHostOptions } from './local/host-options.ts';
export { limitersOf } from './local/host-parts.ts';
export { createLocalHost, type LoadedPipeline, type LocalHost } from './local/local-host.ts';
export { Pipeline, type PipelineOptions } from './local/pipeline.ts';
export { StatusTracker, type StatusTrackerCallbacks } from './local/status-tracker.ts';
export { DurationHistogram, MACHINE_SECONDS } from './measures/duration-histogram.ts';
export { createValueRule, type ValueRule } from './values/value-rule.ts';
