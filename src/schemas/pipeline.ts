import { z } from 'zod';
import { definitionExample, pipelineDefinitionSchema } from './definition.ts';
import { movedSchema, stageChangeSchema, stageTuningSchema } from './redefinition.ts';
import { pipelineStateSchema, workerNamesSchema } from './stats.ts';

const countersShape = {
  itemsProcessed: z.int(),
  itemsFailed: z.int(),
  itemsCancelled: z.int(),
  itemsInFlight: z.int(),
};

export const pipelineSummaryExample = {
  id: 'orders',
  description: null,
  state: 'running' as const,
  stages: ['Check', 'Price'],
  itemsProcessed: 310,
  itemsFailed: 1,
  itemsCancelled: 0,
  itemsInFlight: 45,
};

/** A pipeline in the list. */
export const pipelineSummarySchema = z
  .object({
    id: z.string(),
    description: z.string().nullable(),
    state: pipelineStateSchema,
    stages: z.array(z.string()).meta({ description: 'Their names, in order.' }),
    ...countersShape,
  })
  .meta({ id: 'PipelineSummary', examples: [pipelineSummaryExample] });

const pipelineExample = {
  id: 'orders',
  definition: definitionExample,
  state: 'running' as const,
  workers: { Check: ['Check-W0'], Price: ['Price-W0', 'Price-W1'] },
  pausedStages: [],
  overrides: {},
  secrets: ['ORDERS'],
  itemsProcessed: 310,
  itemsFailed: 1,
  itemsCancelled: 0,
  itemsInFlight: 45,
};

/** A pipeline by itself. */
export const pipelineDetailSchema = z
  .object({
    id: z.string(),
    definition: pipelineDefinitionSchema,
    state: pipelineStateSchema,
    workers: workerNamesSchema,
    pausedStages: z.array(z.string()),
    overrides: z
      .record(z.string(), stageTuningSchema)
      .meta({ description: 'What live tuning changed, by stage; it goes before the definition.' }),
    secrets: z
      .array(z.string())
      .meta({ description: 'Names of the secrets that its templates use, sorted: a template sees those that it names, and no others.' }),
    ...countersShape,
  })
  .meta({
    id: 'Pipeline',
    examples: [pipelineExample],
  });

/** A pipeline after it was told what to do. */
export const pipelineControlledSchema = pipelineDetailSchema
  .partial({ definition: true, workers: true, overrides: true, secrets: true })
  .meta({
    id: 'ControlledPipeline',
    description: 'To a key without `read` it has no `definition`, `workers`, `overrides` and `secrets`.',
    examples: [pipelineExample],
  });

/** A pipeline after its definition was put. */
export const pipelinePutSchema = pipelineDetailSchema
  .extend({
    changes: z.array(stageChangeSchema).meta({ description: 'What is different in its stages; empty when nothing is.' }),
    moved: z.array(movedSchema).meta({ description: 'Of each stage that is gone, what became of its items.' }),
  })
  .meta({
    id: 'PipelinePut',
    examples: [
      {
        ...pipelineExample,
        changes: [{ stage: 'Enrich', change: 'removed' }],
        moved: [{ from: 'Enrich', to: 'Price', items: 12, running: 1 }],
      },
    ],
  });
