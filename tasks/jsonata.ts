import compile from 'jsonata';
import { z } from 'zod';
import { PermanentError } from '../src/engine/index.ts';
import { declareTask } from './kit/declaration.ts';
import { plainData } from './kit/plain-data.ts';

const paramsSchema = z
  .strictObject({
    expression: z.string().min(1).max(65_536).meta({
      description:
        'Evaluated over the value; `$metadata`, `$itemId` and `$sequenceId` are the item’s. A regular expression in it is not stopped by the time limit.',
    }),
    timeoutSeconds: z
      .number()
      .min(0.001)
      .max(60)
      .default(1)
      .meta({ description: 'How long an evaluation may take. The event loop waits for it, so keep it short.' }),
  })
  .meta({ examples: [{ expression: '{ "name": name, "total": $sum(lines.(price * quantity)), "source": $metadata.source }' }] });

/** Bounds of one evaluation beside its time, so that an expression cannot eat the process: nested calls and members of a sequence. */
const STACK_MAX = 2000;
const SEQUENCE_MAX = 1_000_000;

export const jsonata = declareTask({
  name: 'jsonata',
  description:
    'Replaces the value with the result of a JSONata expression over it; no result is `null`. An expression that fails on a value fails its item without a retry, as it would again.',
  params: paramsSchema,
  check({ expression }) {
    try {
      compile(expression);
      return [];
    } catch (error) {
      return [{ path: '/expression', message: `is no JSONata expression: ${describe(error)}` }];
    }
  },
  prepare({ expression, timeoutSeconds }) {
    const compiled = compile(expression, { timeout: timeoutSeconds * 1000, stack: STACK_MAX, sequence: SEQUENCE_MAX });
    return (value, context) =>
      oneAtATime(async () => {
        const { metadata, itemId, sequenceId } = context;
        try {
          return plainData(await compiled.evaluate(value, { metadata, itemId, sequenceId })) ?? null;
        } catch (error) {
          throw new PermanentError(`the expression fails: ${describe(error)}`);
        }
      });
  },
});

let last: Promise<unknown> = Promise.resolve();

/**
 * JSONata counts the time from its start, and it runs in microtasks: evaluations that ran interleaved would use up each other's time,
 * and thousands of workers would run into a limit that none of them broke. As it never waits for anything, nothing is lost by a queue.
 */
function oneAtATime<T>(evaluate: () => Promise<T>): Promise<T> {
  const result = last.then(evaluate);
  last = result.catch(() => undefined);
  return result;
}

/** JSONata throws objects that aren't Errors, some without a message. */
function describe(error: unknown): string {
  const { code, message, position } = error as { code?: unknown; message?: unknown; position?: unknown };
  const text = typeof message === 'string' ? message : String(code ?? error);
  const where = typeof position === 'number' ? ` at character ${position}` : '';
  return `${text}${where}${typeof code === 'string' ? ` (${code})` : ''}`;
}
