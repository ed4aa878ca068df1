/** What authors of tasks write, as far as TypeScript has to take it or refuse it. Compiled by `npm run typecheck` and never run. */
import { defineHook, definePredicate, defineTask, type RateLimit, type Task, type TaskContext } from 'sluice/task';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';

// The parameters are the output of a zod schema, the value is what the author says.
const resize = defineTask({
  params: z.object({ width: z.number().default(100), unit: z.enum(['px', 'em']).optional() }),
  rateLimit: { limit: 10, perSeconds: 1 },
  thread: true,
  run(value: { url: string }, ctx) {
    expectTypeOf(value.url).toEqualTypeOf<string>();
    expectTypeOf(ctx.params.width).toEqualTypeOf<number>();
    expectTypeOf(ctx.params.unit).toEqualTypeOf<'px' | 'em' | undefined>();
    // @ts-expect-error the schema has no such parameter
    ctx.params.height;
    return value.url.length;
  },
});
expectTypeOf(resize).toExtend<Task<{ url: string }, { width: number }>>();
expectTypeOf(resize.run).returns.toEqualTypeOf<number | Promise<number>>();
expectTypeOf<RateLimit>().toEqualTypeOf<{ limit: number; perSeconds: number }>();

// Beside a JSON Schema their type is named.
defineTask<string, { field: string }>({
  params: { type: 'object', properties: { field: { type: 'string' } } },
  run: (value, ctx) => expectTypeOf([value, ctx.params.field]).toEqualTypeOf<string[]>(),
});

// Whoever names no types has to look at what came.
defineTask({
  run(value, ctx) {
    expectTypeOf(value).toBeUnknown();
    expectTypeOf(ctx).toEqualTypeOf<TaskContext<unknown>>();
    expectTypeOf(ctx.metadata).toEqualTypeOf<Record<string, unknown>>();
    expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(ctx.setStatus('half', { minIntervalSeconds: 1 })).toEqualTypeOf<boolean>();
    expectTypeOf(ctx.permanent('no')).toEqualTypeOf<Error>();
    expectTypeOf(ctx.retryAfter(30)).toEqualTypeOf<Error>();
    // @ts-expect-error an item stays the same
    ctx.itemId = 'other';
    // @ts-expect-error a wait is a number of seconds
    ctx.retryAfter('30');
    return value;
  },
});

// @ts-expect-error a task runs
defineTask({ description: 'nothing' });
// @ts-expect-error a limit has a window
defineTask({ rateLimit: { limit: 10 }, run: () => null });
// @ts-expect-error no field is called so
defineTask({ timeout: 30, run: () => null });

const isSmall = definePredicate({ run: (value: { size: number }, { itemId }) => value.size < itemId.length });
expectTypeOf(isSmall.kind).toEqualTypeOf<'predicate'>();
// @ts-expect-error a predicate says yes or no
definePredicate({ run: () => 'yes' });
// @ts-expect-error a predicate has no limit
definePredicate({ concurrency: 1, run: () => true });

definePredicate({
  params: z.object({ most: z.number() }),
  run: (_value, { params }) => {
    expectTypeOf(params).toEqualTypeOf<{ most: number }>();
    return params.most > 1;
  },
});
defineHook({
  params: z.object({ to: z.string() }),
  run(_itemId, _told, info, { params }) {
    expectTypeOf(params).toEqualTypeOf<{ to: string }>();
    expectTypeOf(info.input).toBeUnknown();
  },
});
defineHook({
  run(itemId, valueOrError, info, use) {
    expectTypeOf(itemId).toEqualTypeOf<string>();
    expectTypeOf(valueOrError).toBeUnknown();
    expectTypeOf(info.attempts).toEqualTypeOf<number>();
    use.logger.info({ pipeline: use.pipeline }, 'told');
  },
});
