// biome-ignore-all lint/style/useFilenamingConvention: a task's file is named as the task
import { z } from 'zod';
import type { Fault } from '../src/schemas/problem.ts';
import { weightOf } from '../src/schemas/value-weight.ts';
import { answerFault, retryableSchema } from './kit/answer-fault.ts';
import { declareTask } from './kit/declaration.ts';
import type { Work } from './kit/evaluation.ts';
import { evaluators, isForGood, waiterOf } from './kit/expression.ts';
import { type Check, compileCheck, type Faults } from './kit/json-schema.ts';
import { dialectOf, isNewest } from './kit/schema-dialects.ts';
import { compileCost, quickUpTo } from './kit/schema-size.ts';

/** Time limit of a check in an evaluator. */
const TIMEOUT_MS = 2000;
const CACHED_MAX = 100;

const paramsSchema = z
  .strictObject({
    schema: z.union([z.record(z.string(), z.unknown()), z.boolean()]).meta({
      description:
        'A JSON Schema (draft 2020-12, or the draft 2019-09, 07 or 06 that its `$schema` names) with the usual formats. References must be internal; nothing is fetched.',
    }),
    retryable: retryableSchema,
  })
  .meta({
    examples: [
      { schema: { type: 'object', required: ['email'], properties: { email: { type: 'string', format: 'email' }, age: { minimum: 0 } } } },
    ],
  });

export const jsonSchema = declareTask({
  name: 'json_schema',
  description:
    'Validates the value against a JSON Schema and returns it unchanged. An invalid value fails its item without a retry, unless `retryable` says otherwise; the error lists the reasons.',
  params: paramsSchema,
  verbatim: ['schema'],
  costOf: (given) => compileCost((given as { schema?: unknown } | null | undefined)?.schema),
  check({ schema }) {
    try {
      compiled(schema);
      return [];
    } catch (error) {
      return [{ path: '/schema', message: `is not a usable JSON Schema: ${(error as Error).message}` }];
    }
  },
  prepare({ schema, retryable }) {
    const { check, work, quickWeight } = compiled(schema);
    return (value, context) => {
      if (quickWeight > 0 && weightOf(value, quickWeight) <= quickWeight) return settle(value, check(value), retryable);
      return evaluators.run(work, value, waiterOf(context)).then(
        (found) => settle(value, found as Faults, retryable),
        (error: unknown) => fail(error, retryable),
      );
    };
  },
});

interface Compiled {
  check: Check;
  work: Work;
  /** Up to this weight of a value it is checked at once. */
  quickWeight: number;
}

/** The last ones by their JSON: a definition is looked at several times until it runs. */
const cache = new Map<string, Compiled>();

function compiled(schema: unknown): Compiled {
  const source = JSON.stringify(schema);
  let found = cache.get(source);
  if (found === undefined) {
    found = {
      check: compileCheck(schema),
      work: { kind: 'schema', source, timeoutMs: TIMEOUT_MS },
      quickWeight: isNewest(dialectOf(schema)) ? quickUpTo(schema) : 0,
    };
    if (cache.size >= CACHED_MAX) cache.clear();
    cache.set(source, found);
  }
  return found;
}

function settle(value: unknown, { faults, count }: Faults, retryable: boolean): unknown {
  if (count > 0) throw answerFault(describe(faults, count), retryable);
  return value;
}

function fail(error: unknown, retryable: boolean): never {
  if (!isForGood(error)) throw error;
  throw answerFault(`the value cannot be checked: ${(error as Error).message}`, retryable);
}

/** The text of an error is kept up to 4096 characters, unless MAX_ERROR_CHARACTERS says otherwise; what doesn't fit is counted instead of being cut in the middle. */
const LENGTH_MAX = 3900;

function describe(faults: readonly Fault[], count: number): string {
  let text = 'the value does not match the schema: ';
  for (const [index, { path, message }] of faults.entries()) {
    const reason = `${index === 0 ? '' : '; '}${path === '' ? 'it' : path} ${message}`;
    if (text.length + reason.length > LENGTH_MAX) return `${text}; and ${count - index} more`;
    text += reason;
  }
  return count > faults.length ? `${text}; and ${count - faults.length} more` : text;
}
