import type { PipelineDefinition } from '../../schemas/definition.ts';
import type { LimiterWaiter } from '../../schemas/limiter.ts';
import { limitersOf } from '../definition/task-use.ts';
import type { PlannedLimits } from '../limits/limits-plan.ts';
import type { LocalRuntime } from './local-runtime.ts';

/** The limiters that the tasks of a definition name. */
export function limitersUsed({ stages }: PipelineDefinition): Set<string> {
  return new Set(stages.flatMap(({ tasks }) => tasks.flatMap(limitersOf)));
}

/** Carries out a change with what it does to limiters, both or neither. */
export function carriedOut<T>(limits: PlannedLimits, change: () => T): T {
  limits.begin();
  let changed: T;
  try {
    changed = change();
  } catch (error) {
    limits.undo();
    throw error;
  }
  limits.commit();
  return changed;
}

/** The stages whose workers wait for each limiter now, those with the most first. */
export function limiterWaiters(pipelines: Iterable<LocalRuntime>): Map<string, LimiterWaiter[]> {
  const found = new Map<string, LimiterWaiter[]>();
  for (const { core } of pipelines) {
    for (const stage of core.allStages) {
      const counts = new Map<string, number>();
      for (const { sharedWait } of stage.workers) {
        if (sharedWait !== null) counts.set(sharedWait.name, (counts.get(sharedWait.name) ?? 0) + 1);
      }
      for (const [limiter, count] of counts) {
        const row = { pipelineId: core.id, stage: stage.name, count };
        found.set(limiter, [...(found.get(limiter) ?? []), row]);
      }
    }
  }
  for (const rows of found.values()) rows.sort((a, b) => b.count - a.count);
  return found;
}
