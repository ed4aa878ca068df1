import { z } from 'zod';
import { pipelineDefinitionSchema } from './definition.ts';
import { pipelineStateSchema, workerNamesSchema } from './stats.ts';

const countersShape = {
  itemsProcessed: z.int(),
  itemsFailed: z.int(),
  itemsCancelled: z.int(),
  itemsInFlight: z.int(),
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
  .meta({ id: 'PipelineSummary' });

/** A pipeline by itself. */
export const pipelineDetailSchema = z
  .object({
    id: z.string(),
    definition: pipelineDefinitionSchema,
    state: pipelineStateSchema,
    workers: workerNamesSchema,
    pausedStages: z.array(z.string()),
    ...countersShape,
  })
  .meta({ id: 'Pipeline' });
