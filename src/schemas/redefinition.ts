import { z } from 'zod';
import { rateLimitSchema } from './definition.ts';
import { stageNameSchema } from './names.ts';

export const stageChangeSchema = z
  .object({
    stage: z.string(),
    change: z.enum(['added', 'removed', 'renamed', 'reordered', 'changed']).meta({
      description:
        '`renamed`: the stage took the place of a removed one with the same tasks. `reordered`: its position among the remaining stages changed.',
    }),
    from: z.string().optional().meta({ description: 'The previous name of a renamed stage.' }),
    fields: z.array(z.string()).optional().meta({ description: 'The fields of a changed stage that differ.' }),
  })
  .meta({ id: 'StageChange', examples: [{ stage: 'Price', change: 'changed', fields: ['workers'] }] });
export type StageChange = z.infer<typeof stageChangeSchema>;

export const movedSchema = z
  .object({
    from: z.string().meta({ description: 'The removed stage.' }),
    to: z
      .string()
      .nullable()
      .meta({ description: 'The stage where its items continue; null if they are completed because no stage follows.' }),
    items: z.int().meta({ description: 'Waiting items, which moved at once.' }),
    running: z.int().meta({ description: 'Items in a worker: they finish under the old definition, then move.' }),
  })
  .meta({ id: 'MovedItems', examples: [{ from: 'Check', to: 'Price', items: 12, running: 1 }] });
export type MovedItems = z.infer<typeof movedSchema>;

/** A live change of a stage; a given field overrides the definition. */
export const stageTuningSchema = z
  .strictObject({
    workers: z.int().min(1).optional().meta({ description: 'Surplus workers stop after their current item; new ones start at once.' }),
    taskConcurrencyLimits: z
      .record(z.string(), z.int().min(1))
      .optional()
      .meta({ description: 'Replaces all limits of this kind: a task that is not named has none.' }),
    taskRateLimits: z
      .record(z.string(), rateLimitSchema)
      .optional()
      .meta({ description: 'Replaces all limits of this kind: a task that is not named has none.' }),
    queueCapacity: z.int().min(1).max(100_000_000).optional(),
  })
  .meta({ id: 'StageTuning', examples: [{ workers: 8 }] });
type Tuned = z.infer<typeof stageTuningSchema>;
export type StageTuning = { [K in keyof Tuned]?: Tuned[K] };

export const stageSettingsSchema = z
  .object({
    workers: z.int(),
    taskConcurrencyLimits: z.record(z.string(), z.int()),
    taskRateLimits: z.record(z.string(), rateLimitSchema),
    queueCapacity: z.int(),
  })
  .meta({ id: 'StageSettings' });
export type StageSettings = z.infer<typeof stageSettingsSchema>;

const settingsExample = { workers: 2, taskConcurrencyLimits: {}, taskRateLimits: {}, queueCapacity: 100 };

export const stageTunedSchema = z
  .object({
    stage: stageNameSchema,
    effective: stageSettingsSchema.meta({ description: 'The settings in effect.' }),
    defined: stageSettingsSchema.meta({ description: 'The settings of the definition.' }),
  })
  .meta({
    id: 'StageTuned',
    examples: [{ stage: 'Price', effective: { ...settingsExample, workers: 8 }, defined: settingsExample }],
  });
export type StageTuned = z.infer<typeof stageTunedSchema>;
