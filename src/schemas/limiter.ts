import { z } from 'zod';
import { instantSchema, nameSchema } from './names.ts';

const concurrencySchema = z.int().min(1).max(1_000_000).meta({ description: 'Maximum number of executions at the same time.' });
const limitSchema = z
  .number()
  .gt(0)
  .max(1_000_000_000)
  .meta({ description: 'Maximum that may start in any window of `perSeconds`: a number of executions, or the sum of their `weight`.' });
const perSecondsSchema = z.number().min(0.001).max(86_400);
const expressionSchema = z.string().min(1).max(65_536);

export const MAX_HOLD_SECONDS = 300;
const maxHoldSecondsSchema = z
  .number()
  .min(0)
  .max(31_536_000)
  .meta({
    description: `Longest time in seconds for which an answer of a server holds the limiter; ${MAX_HOLD_SECONDS} by default. The item that was answered waits as long as the server says.`,
  });
const onRetryAfterSchema = z.enum(['hold', 'item']).meta({
  description:
    'Who waits when a server answers 429, or asks for a pause by `Retry-After`: with `hold`, the default, everyone who uses the limiter (and its key); with `item` only the item that was answered.',
});

/** A limiter of `limits`, in a definitions file or with a pipeline. */
export const limiterSettingsSchema = z
  .strictObject({
    concurrency: concurrencySchema.optional(),
    limit: limitSchema.optional(),
    perSeconds: perSecondsSchema.optional(),
    key: expressionSchema.optional().meta({
      description:
        'An expression over `{ value, metadata }`. The limits apply to each of its results separately, such as each customer or host.',
    }),
    weight: expressionSchema.optional().meta({
      description: 'An expression over `{ value, metadata }` for how much of `limit` an execution uses, such as its tokens; 1 by default.',
    }),
    maxHoldSeconds: maxHoldSecondsSchema.optional(),
    onRetryAfter: onRetryAfterSchema.optional(),
  })
  .refine(({ limit, perSeconds }) => (limit === undefined) === (perSeconds === undefined), {
    message: 'needs both "limit" and "perSeconds", or neither',
  })
  .refine(({ concurrency, limit }) => concurrency !== undefined || limit !== undefined, {
    message: 'needs "concurrency", or "limit" and "perSeconds"',
  })
  .refine(({ weight, limit }) => weight === undefined || limit !== undefined, {
    message: 'has a "weight" without a "limit" that it could count in',
    path: ['weight'],
  })
  .meta({
    id: 'LimiterSettings',
    examples: [{ concurrency: 10, limit: 500, perSeconds: 60, key: 'metadata.customer', weight: 'value.tokens' }],
  });
export type LimiterSettings = z.infer<typeof limiterSettingsSchema>;

/** The most limiters that one definition may define. */
const LIMITS_MAX = 100;

/** The limiters that a pipeline's definition defines, by name. */
export const limitsSchema = z
  .record(nameSchema, limiterSettingsSchema)
  .refine((limits) => Object.keys(limits).length <= LIMITS_MAX, `must have at most ${LIMITS_MAX} entries`);
export type Limits = z.infer<typeof limitsSchema>;

/** A live change of a limiter; `null` removes a limit, and sets the rest to its default. */
export const limiterPatchSchema = z
  .strictObject({
    concurrency: concurrencySchema.nullable().optional(),
    limit: limitSchema.nullable().optional(),
    perSeconds: perSecondsSchema.nullable().optional(),
    maxHoldSeconds: maxHoldSecondsSchema.nullable().optional(),
    onRetryAfter: onRetryAfterSchema.nullable().optional(),
    heldUntil: z.null().optional().meta({ description: '`null` ends a hold, for all keys: whoever waits goes on at once.' }),
  })
  .meta({ id: 'LimiterPatch', examples: [{ concurrency: 4 }, { limit: 100, perSeconds: 60 }, { heldUntil: null }] });
export type LimiterPatch = z.infer<typeof limiterPatchSchema>;

const usageShape = {
  inUse: z.int().meta({ description: 'Running executions.' }),
  waiting: z.int().meta({ description: 'Waiting workers.' }),
  usedInWindow: z.number().nullable().meta({
    description:
      'How much of `limit` the executions have used that began in the last `perSeconds`: their number, or the sum of their `weight`. null without a `limit`. With a `key`, `limit` is for each key, and this is the sum over all keys.',
  }),
  nextAt: instantSchema.nullable().meta({
    description:
      'When the next execution may begin, if it has to wait for the window or for the end of a hold; null if it may begin now, or waits for another one to end. With a `key`, the first of the keys that anyone waits for.',
  }),
  heldUntil: instantSchema.nullable().meta({ description: 'The limiter admits nothing until then, because a server asked for a pause.' }),
};

const waiterSchema = z.object({
  pipelineId: z.string(),
  stage: z.string(),
  count: z.int().meta({ description: 'Waiting workers of the stage.' }),
});
export type LimiterWaiter = z.infer<typeof waiterSchema>;

export const limiterViewExample = {
  name: 'openai',
  inUse: 10,
  waiting: 37,
  usedInWindow: 214,
  nextAt: '2026-11-23T17:44:00.123Z',
  heldUntil: '2026-11-23T17:44:00.123Z',
  settings: { concurrency: 10, limit: 500, perSeconds: 60, key: 'metadata.customer', maxHoldSeconds: 300, onRetryAfter: 'hold' as const },
  defined: { concurrency: 20, limit: 500, perSeconds: 60, key: 'metadata.customer' },
  waiters: [{ pipelineId: 'orders', stage: 'Price', count: 37 }],
  keys: [
    {
      key: 'acme',
      inUse: 10,
      waiting: 37,
      usedInWindow: 214,
      nextAt: '2026-11-23T17:44:00.123Z',
      heldUntil: '2026-11-23T17:44:00.123Z',
    },
  ],
};

export const limiterViewSchema = z
  .object({
    name: z.string(),
    ...usageShape,
    settings: z
      .object({
        concurrency: z.int().optional(),
        limit: z.number().optional(),
        perSeconds: z.number().optional(),
        key: z.string().optional(),
        weight: z.string().optional(),
        maxHoldSeconds: z.number(),
        onRetryAfter: z.enum(['hold', 'item']),
      })
      .meta({ description: 'The limits in effect.' }),
    defined: limiterSettingsSchema.meta({
      description: 'The definition; `PATCH /limiters/:name` overrides it, and `DELETE /limiters/:name` returns to it.',
    }),
    waiters: z.array(waiterSchema).meta({ description: 'At most 100 of the stages whose workers wait for it, those with the most first.' }),
    keys: z
      .array(z.object({ key: z.string(), ...usageShape }))
      .meta({ description: 'For a limiter with a `key`: at most 100 of its results, those with the most waiting workers first.' }),
  })
  .meta({ id: 'Limiter', examples: [limiterViewExample] });
export type LimiterView = z.infer<typeof limiterViewSchema>;
