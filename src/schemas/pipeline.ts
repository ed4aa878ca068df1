import { z } from 'zod';
import { definitionExample, pipelineDefinitionSchema } from './definition.ts';
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
  .meta({
    id: 'Pipeline',
    examples: [
      {
        id: 'orders',
        definition: definitionExample,
        state: 'running',
        workers: { Check: ['Check-W0'], Price: ['Price-W0', 'Price-W1'] },
        pausedStages: [],
        itemsProcessed: 310,
        itemsFailed: 1,
        itemsCancelled: 0,
        itemsInFlight: 45,
      },
    ],
  });
