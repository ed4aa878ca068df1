import { z } from 'zod';
import { definitionExample, pipelineDefinitionSchema } from './definition.ts';
import { overviewSchema } from './overview.ts';
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
  stateReason: null,
  stages: ['Check', 'Price'],
  itemsProcessed: 310,
  itemsFailed: 1,
  itemsCancelled: 0,
  itemsInFlight: 45,
};

const stateReasonSchema = z.string().nullable().meta({
  description:
    'Why it is in its state if nobody asked for that: `stopped` because its definition can no longer be used, for example. Otherwise null.',
});

/** A pipeline in the list. */
export const pipelineSummarySchema = z
  .object({
    id: z.string(),
    description: z.string().nullable(),
    state: pipelineStateSchema,
    stateReason: stateReasonSchema,
    stages: z.array(z.string()).meta({ description: 'Names of the stages, in order.' }),
    ...countersShape,
    overview: overviewSchema.optional().meta({ description: 'With `include=overview`.' }),
  })
  .meta({ id: 'PipelineSummary', examples: [pipelineSummaryExample] });

const pipelineExample = {
  id: 'orders',
  definition: definitionExample,
  definitionSource: 'file' as const,
  fileDiffers: false,
  state: 'running' as const,
  stateReason: null,
  workers: { Check: ['Check-W0'], Price: ['Price-W0', 'Price-W1'] },
  pausedStages: ['Price'],
  pausedReasons: { Price: '20 items failed within 60 s, the last one with HttpError: answered 401' },
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
    definitionSource: z
      .enum(['file', 'api'])
      .meta({ description: '`file` if the definition in force is that of a file of `PIPELINES`, otherwise `api`.' }),
    fileDiffers: z.boolean().meta({
      description:
        'True if the pipeline is in a file of `PIPELINES`, but was changed over the API since the file was last loaded. The change stays until the file is changed, which then takes its place.',
    }),
    state: pipelineStateSchema,
    stateReason: stateReasonSchema,
    workers: workerNamesSchema,
    pausedStages: z.array(z.string()),
    pausedReasons: z.record(z.string(), z.string()).meta({
      description: 'Why a stage is paused, by stage, if nobody asked for that: too many of its items have failed (`pauseAfterFailures`).',
    }),
    overrides: z.record(z.string(), stageTuningSchema).meta({ description: 'Live tuning by stage; it overrides the definition.' }),
    secrets: z
      .array(z.string())
      .meta({ description: 'Sorted names of the secrets that the templates use. A template sees only the secrets that it names.' }),
    ...countersShape,
  })
  .meta({
    id: 'Pipeline',
    examples: [pipelineExample],
  });

/** A pipeline after it was told what to do. */
export const pipelineControlledSchema = pipelineDetailSchema
  .partial({
    definition: true,
    definitionSource: true,
    fileDiffers: true,
    stateReason: true,
    workers: true,
    pausedReasons: true,
    overrides: true,
    secrets: true,
  })
  .meta({
    id: 'ControlledPipeline',
    description:
      'For a key without `read`, `definition`, `definitionSource`, `fileDiffers`, `stateReason`, `workers`, `pausedReasons`, `overrides` and `secrets` are absent.',
    examples: [pipelineExample],
  });

/** A pipeline after its definition was put. */
export const pipelinePutSchema = pipelineDetailSchema
  .extend({
    changes: z.array(stageChangeSchema).meta({ description: 'Changes to the stages; empty if there are none.' }),
    changedFields: z
      .array(z.string())
      .meta({ description: 'The fields of the pipeline itself that differ, such as `retention`; empty if there are none.' }),
    moved: z.array(movedSchema).meta({ description: 'For each removed stage, where its items went.' }),
  })
  .meta({
    id: 'PipelinePut',
    examples: [
      {
        ...pipelineExample,
        changes: [{ stage: 'Enrich', change: 'removed' }],
        changedFields: ['retention'],
        moved: [{ from: 'Enrich', to: 'Price', items: 12, running: 1 }],
      },
    ],
  });
