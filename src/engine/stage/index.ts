/*
 * Room `stage`: one item in one stage: predicate, tasks, limits, timeouts, retries, hooks, and the events of all these. A {@link StageRunner} is
 * handed an item and a {@link Slot}, and answers an {@link Outcome}, at once or later; what it sees of its runtime is the {@link StageEnvironment}.
 * This is an entry of the engine beside `index.ts`, for whoever writes another runtime.
 *
 * Holds:
 * - An attempt that was given up changes nothing any more, whatever its handler does.
 * - A hook or predicate that throws or never settles does not change the outcome.
 * - Each run has one outcome, which the runtime carries out and never second-guesses.
 *
 * Refuses: to know a queue, an event log or a store, and to decide where an item goes.
 */
export type { TaskSpec } from '../definition/calls.ts';
export { resolveStage, type StageSpec, stageSpecOf } from '../definition/stage-spec.ts';
export type * from '../limits/gate.ts';
export { TaskLimiter } from '../limits/task-limiter.ts';
export { DueQueue } from '../time/due-queue.ts';
export { EngineClock } from '../time/engine-clock.ts';
export { Turn } from '../time/turn.ts';
export type * from './hinge.ts';
export { Slot } from './slot.ts';
export { STAGE_ENDED, StageRunner } from './stage-runner.ts';
