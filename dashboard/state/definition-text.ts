import type { PipelineDetail } from './types.ts';
import { toYaml } from './yaml.ts';

/** What a stage is where its definition says nothing; the service shows it with all of these filled in. A test compares it with the schema. */
export const STAGE_DEFAULTS: Readonly<Record<string, unknown>> = {
  workers: 1,
  retry: 'per_task',
  taskAttempts: 3,
  taskWaitSeconds: 1,
  backoff: 'fixed',
  jitter: 0,
  maxWaitSeconds: 300,
  stageAttempts: 3,
  unpackArgs: false,
  pull: false,
  taskConcurrencyLimits: {},
  taskRateLimits: {},
};
export const PIPELINE_DEFAULTS: Readonly<Record<string, unknown>> = { collectResults: true };

/** A definition as its author would write it: without what goes without saying, and with tasks by their names alone where that is all. */
export function definitionText({ stages, ...rest }: PipelineDetail['definition']): string {
  const said = stages.map((stage) => without({ ...stage, tasks: stage.tasks.map(shortTask) }, STAGE_DEFAULTS));
  return toYaml({ ...without(rest, PIPELINE_DEFAULTS), stages: said });
}

function without(given: Record<string, unknown>, defaults: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name])));
}

function shortTask(task: unknown): unknown {
  if (typeof task !== 'object' || task === null) return task;
  const names = Object.keys(task).filter((name) => (task as Record<string, unknown>)[name] !== undefined);
  return names.length === 1 && names[0] === 'task' ? (task as { task: unknown }).task : task;
}
