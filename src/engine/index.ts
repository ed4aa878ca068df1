/**
 * The pipeline engine: stages, workers, retries, limits, events, statistics. No HTTP, no I/O, no npm package but p-queue.
 * This is the only entry for the rest of Sluice (with ports.ts), and the library for those who embed it.
 *
 * As a library: `new Pipeline({ stages })`. As the middle of a service: {@link createLocalHost}.
 */
export * from './errors.ts';
export { createLocalHost, type LocalHost, type LocalHostOptions } from './local-host.ts';
export { Pipeline, type PipelineOptions } from './pipeline.ts';
export * from './runtime.ts';
export { STRENGTH } from './shutdown.ts';
export type { StageOptions } from './stage-spec.ts';
export { StatusTracker, type StatusTrackerCallbacks } from './status-tracker.ts';
export * from './task.ts';
export * from './task-registry.ts';
