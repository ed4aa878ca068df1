import { z } from 'zod';
import { rateLimitSchema } from './definition.ts';
import { stageNameSchema } from './names.ts';

export const stageChangeSchema = z
  .object({
    stage: z.string(),
    change: z.enum(['added', 'removed', 'renamed', 'reordered', 'changed']).meta({
      description:
        '`renamed`: a stage with the same tasks stands in the place of one that is gone. `reordered`: it has another place among those that stay.',
    }),
    from: z.string().optional().meta({ description: 'The name before, of a stage that was renamed.' }),
    fields: z.array(z.string()).optional().meta({ description: 'What is different in a stage that was changed.' }),
  })
  .meta({ id: 'StageChange', examples: [{ stage: 'Price', change: 'changed', fields: ['workers'] }] });
export type StageChange = z.infer<typeof stageChangeSchema>;

export const movedSchema = z
  .object({
    from: z.string().meta({ description: 'The stage that is gone.' }),
    to: z.string().nullable().meta({ description: 'Where its items go on; null: they are completed, since nothing comes after.' }),
    items: z.int().meta({ description: 'Those that waited there, and went on at once.' }),
    running: z.int().meta({ description: 'Those that a worker holds: they end there by the old definition, then go on.' }),
  })
  .meta({ id: 'MovedItems', examples: [{ from: 'Check', to: 'Price', items: 12, running: 1 }] });
export type MovedItems = z.infer<typeof movedSchema>;

/** What can be changed of a stage that runs; a field that is given replaces the one of the definition. */
export const stageTuningSchema = z
  .strictObject({
    workers: z.int().min(1).optional().meta({ description: 'Surplus workers leave after their item, new ones begin at once.' }),
    taskConcurrencyLimits: z
      .record(z.string(), z.int().min(1))
      .optional()
      .meta({ description: 'All of them: a task that is not named has none.' }),
    taskRateLimits: z
      .record(z.string(), rateLimitSchema)
      .optional()
      .meta({ description: 'All of them: a task that is not named has none.' }),
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
    effective: stageSettingsSchema.meta({ description: 'What holds now.' }),
    defined: stageSettingsSchema.meta({ description: 'What the definition says.' }),
  })
  .meta({
    id: 'StageTuned',
    examples: [{ stage: 'Price', effective: { ...settingsExample, workers: 8 }, defined: settingsExample }],
  });
export type StageTuned = z.infer<typeof stageTunedSchema>;
