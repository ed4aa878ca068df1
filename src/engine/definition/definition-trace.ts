import { isDeepStrictEqual } from 'node:util';
import type { PipelineDefinition, StageDefinition } from '../../schemas/definition.ts';
import { useName } from './task-use.ts';

/** The most characters of JSON that tell of a definition. */
const TRACE_CHARACTERS = 8192;

/** A definition for whoever reads what operators did: its stages with workers and names of tasks. Parameters of tasks are left out, since they may hold anything. */
export function definitionTrace({ stages }: PipelineDefinition): object {
  return bounded({ stages: stages.map(({ name, workers, tasks }) => ({ name, workers, tasks: tasks.map(useName) })) }, stages.length);
}

/**
 * The differences between two definitions: members of the pipeline, and of stages by name. Members that may hold parameters are given by the names of
 * their tasks.
 */
export function definitionChange(before: PipelineDefinition, after: PipelineDefinition): { before: object; after: object } {
  const [old, fresh]: [Record<string, unknown>, Record<string, unknown>] = [{}, {}];
  for (const field of changedFieldsOf(before, after)) {
    old[field] = shown(field, (before as Record<string, unknown>)[field]);
    fresh[field] = shown(field, (after as Record<string, unknown>)[field]);
  }
  const names = ({ stages }: PipelineDefinition): string[] => stages.map(({ name }) => name);
  if (!isDeepStrictEqual(names(before), names(after))) {
    old.stages = names(before);
    fresh.stages = names(after);
  }
  const changed: [Record<string, object>, Record<string, object>] = [{}, {}];
  for (const stage of after.stages) {
    const was = before.stages.find(({ name }) => name === stage.name);
    const fields = was === undefined ? [] : differing(was, stage);
    if (was === undefined || fields.length === 0) continue;
    changed[0][stage.name] = pick(was, fields);
    changed[1][stage.name] = pick(stage, fields);
  }
  if (Object.keys(changed[0]).length > 0) {
    old.changedStages = changed[0];
    fresh.changedStages = changed[1];
  }
  return { before: bounded(old, before.stages.length), after: bounded(fresh, after.stages.length) };
}

/** Names the fields of the pipeline itself that differ, by the alphabet; those of its stages are no part of it. */
export function changedFieldsOf(before: PipelineDefinition, after: PipelineDefinition): string[] {
  return differing({ ...before, stages: 0 }, { ...after, stages: 0 }).sort();
}

function differing(before: object, after: object): string[] {
  const [old, fresh] = [before as Record<string, unknown>, after as Record<string, unknown>];
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])].filter((field) => !isDeepStrictEqual(old[field], fresh[field]));
}

function pick(stage: StageDefinition, fields: readonly string[]): object {
  return Object.fromEntries(fields.map((field) => [field, shown(field, (stage as unknown as Record<string, unknown>)[field])]));
}

/** Tasks, predicates and hooks by their names: their parameters may hold a secret that somebody wrote into the definition. */
function shown(field: string, value: unknown): unknown {
  if (value === undefined) return null;
  if (field === 'tasks') return (value as StageDefinition['tasks']).map(useName);
  return typeof value === 'object' && value !== null && 'task' in value ? (value as { task: unknown }).task : value;
}

function bounded(trace: object, stages: number): object {
  return JSON.stringify(trace).length <= TRACE_CHARACTERS ? trace : { stages, truncated: true };
}
