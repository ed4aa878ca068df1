import type { PipelineDefinition, RateLimit, TaskDeclaration } from '../engine/index.ts';
import type { LimiterSettings } from '../schemas/limiter.ts';

type Use = PipelineDefinition['stages'][number]['tasks'][number];

export interface OnTheClock {
  definition: PipelineDefinition;
  limits: Record<string, LimiterSettings>;
}

/**
 * The same definition with its `taskRateLimits`, and the rate limits that tasks bring along, as limiters: those keep to the clock of the host, p-queue to that of the
 * machine. Both hold in any window, and let waiting items go by priority. Runs nowhere but here: `runOn: hands` is left out.
 */
export function onTheClock(definition: PipelineDefinition, declarations: readonly TaskDeclaration[]): OnTheClock {
  const limits: Record<string, LimiterSettings> = {};
  const stages = definition.stages.map(({ runOn, ...stage }, place) => {
    const rateOf = (task: string): RateLimit | undefined =>
      stage.taskRateLimits[task] ?? declarations.find(({ kind, name }) => kind === 'task' && name === task)?.rateLimit;
    const tasks = stage.tasks.map((use): Use => {
      const task = typeof use === 'string' ? use : use.task;
      const rate = rateOf(task);
      if (rate === undefined) return use;
      // Uses of one task in a stage share it.
      const name = `rate-of-${place}-${stage.tasks.findIndex((one) => (typeof one === 'string' ? one : one.task) === task)}`;
      limits[name] = rate;
      const whole: Exclude<Use, string> = typeof use === 'string' ? { task } : use;
      const { limiter = [], ...rest } = whole;
      return { ...rest, limiter: [...[limiter].flat(), name] };
    });
    return { ...stage, tasks, taskRateLimits: {}, ...(runOn === 'thread' && { runOn }) };
  });
  return { definition: { ...definition, stages }, limits };
}

/** Without the rate limits that {@link onTheClock} has made limiters of. */
export function withoutRates(declarations: readonly TaskDeclaration[]): TaskDeclaration[] {
  return declarations.map(({ rateLimit: _, ...declaration }) => declaration);
}
