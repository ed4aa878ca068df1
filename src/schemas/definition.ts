import { z } from 'zod';
import { limitsSchema } from './limiter.ts';
import { nameSchema, PRIORITY_DEFAULT, PRIORITY_MAX, stageNameSchema } from './names.ts';

/** A number of seconds, 0 or more; fractions are allowed. */
const secondsSchema = z.number().min(0).max(31_536_000);

export const rateLimitSchema = z
  .strictObject({ limit: z.int().min(1).max(1_000_000), perSeconds: z.number().min(0.001).max(86_400) })
  .meta({ description: 'At most `limit` starts in any window of `perSeconds`.' });
export type RateLimit = z.infer<typeof rateLimitSchema>;

const useShape = {
  task: z.string().min(1),
  with: z.record(z.string(), z.unknown()).optional().meta({
    description: 'Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`.',
  }),
};

export const hookUseSchema = z.union([z.string().min(1), z.strictObject(useShape)]);

const limiterListSchema = z
  .array(nameSchema)
  .min(1)
  .max(8)
  .refine((names) => new Set(names).size === names.length, 'names a limiter twice');

export const taskUseSchema = z
  .union([
    z.string().min(1),
    z.strictObject({
      ...useShape,
      limiter: z.union([nameSchema, limiterListSchema]).optional().meta({
        description:
          'A limiter of `limits`, shared by every task that names it, in any pipeline; or a list of them, all of which must have room.',
      }),
    }),
  ])
  .meta({ description: 'A registered task: its name, or its name with parameters.' });
export type TaskUse = z.infer<typeof taskUseSchema>;
/** The use of a hook or a predicate. */
export type HookUse = z.infer<typeof hookUseSchema>;

export const retryModeSchema = z.enum(['per_task', 'per_stage']);
export const backoffSchema = z.enum(['fixed', 'exponential']);

const attemptsSchema = z.int().min(1).max(1000);

/** Without it, where each call goes is decided as it is made. */
export const runOnSchema = z.enum(['here', 'hands', 'thread']);
export type RunOn = z.infer<typeof runOnSchema>;

export const pauseAfterFailuresSchema = z
  .strictObject({
    count: z.int().min(1).max(1_000_000),
    withinSeconds: z.number().gt(0).max(31_536_000),
    hook: hookUseSchema.optional().meta({
      description:
        'A hook that is called once when the stage is paused, with the error of the last item: its name, or its name with parameters.',
    }),
  })
  .meta({
    description:
      'Pauses the stage once `count` items have failed in it within `withinSeconds`. What was not tried waits until the stage is resumed.',
  });
export type PauseAfterFailures = z.infer<typeof pauseAfterFailuresSchema>;

export const stageDefinitionSchema = z
  .strictObject({
    name: stageNameSchema,
    workers: z.int().min(1).default(1).meta({ description: 'Maximum number of items that run in this stage at the same time.' }),
    tasks: z.array(taskUseSchema).min(1).max(64),
    retry: retryModeSchema
      .default('per_task')
      .meta({ description: '`per_task` repeats the failed task; `per_stage` restarts the stage with the value that entered it.' }),
    taskAttempts: attemptsSchema.default(3).meta({ description: 'Maximum number of executions of a task (`per_task`).' }),
    taskWaitSeconds: secondsSchema.default(1).meta({ description: 'The wait before a retry; for `exponential`, the first wait.' }),
    backoff: backoffSchema.default('fixed'),
    maxWaitSeconds: secondsSchema.default(300),
    jitter: z.number().min(0).max(1).default(0).meta({ description: 'Each wait is multiplied by 1 ± jitter.' }),
    taskTimeoutSeconds: z.number().gt(0).max(31_536_000).optional(),
    stageAttempts: attemptsSchema.default(3).meta({ description: 'Maximum number of executions of the whole stage (`per_stage`).' }),
    unpackArgs: z.boolean().default(false).meta({ description: 'Spread an array as positional arguments before `ctx`.' }),
    taskConcurrencyLimits: z.record(z.string(), z.int().min(1)).default({}),
    taskRateLimits: z.record(z.string(), rateLimitSchema).default({}),
    onSuccess: hookUseSchema.optional().meta({ description: 'A hook: its name, or its name with parameters.' }),
    onFailure: hookUseSchema.optional().meta({ description: 'A hook: its name, or its name with parameters.' }),
    onSkip: hookUseSchema.optional().meta({ description: 'A hook: its name, or its name with parameters.' }),
    skipIf: hookUseSchema.optional().meta({ description: 'A predicate: its name, or its name with parameters.' }),
    pauseAfterFailures: pauseAfterFailuresSchema.optional(),
    runOn: runOnSchema.optional().meta({
      description:
        'The process that runs the tasks of this stage: `here`, the service itself; `hands`, always a hand, for which an item waits while none is there (`waitingFor: hand`); `thread`, a worker thread of the service. By default your own tasks, `http_request` and `http_notify` go to a hand while hands are connected, and all else runs here. Your predicates and hooks go the same way.',
    }),
    queueCapacity: z.int().min(1).max(100_000_000).optional().meta({
      description:
        'Maximum number of items that wait here after the previous stage has handed them over; by default max(100, workers × 10).',
    }),
    pull: z
      .boolean()
      .default(false)
      .meta({ description: 'No buffer: a worker of the previous stage keeps its item until a worker here is free.' }),
  })
  .meta({ id: 'StageDefinition' });

export const retentionSchema = z.strictObject({
  maxItems: z.int().min(0).max(1_000_000_000).optional(),
  maxAgeSeconds: z.number().gt(0).max(315_360_000).optional(),
});

const stageDefaults = {
  workers: 1,
  retry: 'per_task' as const,
  taskAttempts: 3,
  taskWaitSeconds: 1,
  backoff: 'fixed' as const,
  maxWaitSeconds: 300,
  jitter: 0,
  stageAttempts: 3,
  unpackArgs: false,
  taskConcurrencyLimits: {},
  taskRateLimits: {},
  pull: false,
};
/** With every default filled in, so that it is one of what is sent and of what is answered. */
export const definitionExample = {
  id: 'orders',
  collectResults: true,
  stages: [
    {
      ...stageDefaults,
      name: 'Check',
      tasks: [{ task: 'json_schema', with: { schema: { type: 'object', required: ['sku', 'quantity'] } } }],
    },
    {
      ...stageDefaults,
      name: 'Price',
      workers: 2,
      tasks: [{ task: 'jsonata', with: { expression: '{ "sku": sku, "total": quantity * 9.5 }' } }],
    },
  ],
};

/** Options allowed to keys that may only feed. A key can have the same options for all its pipelines. */
export const feedOptionsOfDefinitionSchema = z
  .strictObject({
    targetStage: z.boolean().optional().meta({ description: 'Allows choosing the stage to start from.' }),
    rerun: z.boolean().optional().meta({ description: 'Allows `onDuplicate: rerun`, which runs ended items again.' }),
    priorityMin: z
      .int()
      .min(0)
      .max(PRIORITY_MAX)
      .optional()
      .meta({ description: `The most urgent priority allowed, by default ${PRIORITY_DEFAULT}.` }),
  })
  .meta({
    description:
      'The options allowed to keys that have only the scope `feed`, beyond feeding new items to the first stage at the default priority.',
    examples: [{ targetStage: true, rerun: true, priorityMin: 10 }],
  });

/** Above what anyone may configure, so that a list of any length is told at once. */
const STAGES_MAX = 10_000;

export const pipelineDefinitionSchema = z
  .strictObject({
    id: nameSchema,
    description: z.string().max(10_000).optional(),
    collectResults: z.boolean().default(true),
    retention: retentionSchema.optional(),
    backlogCapacity: z.int().min(1).max(100_000_000).optional(),
    feedOptions: feedOptionsOfDefinitionSchema.optional(),
    onDone: hookUseSchema.optional().meta({
      description:
        'A hook that is told when a feed is done, with its counts and where its results are: its name, or its name with parameters. It is told at least once, also after a crash.',
    }),
    limits: limitsSchema.optional().meta({
      description:
        'Limiters by name, at most 100. They are shared: tasks of any pipeline may name them. A limiter lives as long as a definition or a file defines it.',
    }),
    stages: z.array(stageDefinitionSchema).min(1).max(STAGES_MAX),
  })
  .meta({ id: 'PipelineDefinition', examples: [definitionExample] });

/** A definition as a caller writes it: defaults may be left out. */
export type StageDefinitionInput = z.input<typeof stageDefinitionSchema>;
/** A definition with every default filled in. */
export type PipelineDefinition = z.infer<typeof pipelineDefinitionSchema>;
export type StageDefinition = z.infer<typeof stageDefinitionSchema>;
