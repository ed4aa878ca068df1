import { setImmediate } from 'node:timers/promises';
import { type PipelineDescription, type PipelineHost, SluiceError } from '../../engine/index.ts';
import type { PipelineOverview } from '../../schemas/overview.ts';
import { type Caller, may } from '../guards/caller.ts';

/** A pipeline as lists show it. */
export function toSummary(pipeline: PipelineDescription) {
  const { id, description = null, stages } = pipeline.definition;
  return {
    id,
    description,
    state: pipeline.state,
    stateReason: pipeline.stateReason,
    stages: stages.map((stage) => stage.name),
    ...countsOf(pipeline),
  };
}

/** So many pipelines are looked at before others get a turn. */
const STEP = 25;

/** Adds the overview of each pipeline, without those that are gone by then. */
export async function withOverviews<T extends { id: string }>(
  host: Pick<PipelineHost, 'get'>,
  rows: readonly T[],
): Promise<(T & { overview: PipelineOverview })[]> {
  const found: (T & { overview: PipelineOverview })[] = [];
  for (const [i, row] of rows.entries()) {
    if (i > 0 && i % STEP === 0) await setImmediate();
    try {
      found.push({ ...row, overview: await host.get(row.id).overview() });
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'pipeline-not-found') throw error;
    }
  }
  return found;
}

/** A pipeline by itself. */
export function toDetail(pipeline: PipelineDescription) {
  const { definition, definitionSource, fileDiffers, state, stateReason, workers, pausedStages, pausedReasons, overrides, secrets } =
    pipeline;
  const paused = { pausedStages, pausedReasons };
  return {
    id: definition.id,
    definition,
    definitionSource,
    fileDiffers,
    state,
    stateReason,
    workers,
    ...paused,
    overrides,
    secrets,
    ...countsOf(pipeline),
  };
}

/** After it was told what to do: who may operate it does not thereby read its definition. */
export function toControlled(pipeline: PipelineDescription, caller: Caller) {
  if (may(caller, 'read')) return toDetail(pipeline);
  const { definition, state, pausedStages } = pipeline;
  return { id: definition.id, state, pausedStages, ...countsOf(pipeline) };
}

function countsOf({ itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight }: PipelineDescription) {
  return { itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight };
}
