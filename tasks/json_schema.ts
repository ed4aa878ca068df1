// biome-ignore-all lint/style/useFilenamingConvention: a task's file is named as the task
import { z } from 'zod';
import { PermanentError } from '../src/engine/index.ts';
import type { Fault } from '../src/schemas/problem.ts';
import { declareTask } from './kit/declaration.ts';
import { compileSchema } from './kit/json-schema.ts';

const paramsSchema = z
  .strictObject({
    schema: z
      .union([z.record(z.string(), z.unknown()), z.boolean()])
      .meta({ description: 'A JSON Schema of draft 2020-12, with the usual formats. References lead inside it; nothing is fetched.' }),
  })
  .meta({
    examples: [
      { schema: { type: 'object', required: ['email'], properties: { email: { type: 'string', format: 'email' }, age: { minimum: 0 } } } },
    ],
  });

export const jsonSchema = declareTask({
  name: 'json_schema',
  description:
    'Lets a value pass unchanged that fits a JSON Schema. Another one fails its item at once, without a retry, with every reason in the error.',
  params: paramsSchema,
  verbatim: ['schema'],
  check({ schema }) {
    try {
      compileSchema(schema);
      return [];
    } catch (error) {
      return [{ path: '/schema', message: `is no JSON Schema that can be used: ${(error as Error).message}` }];
    }
  },
  prepare({ schema }) {
    const check = compileSchema(schema);
    return (value) => {
      const faults = check(value);
      if (faults.length > 0) throw new PermanentError(describe(faults));
      return value;
    };
  },
});

/** The text of an error is kept up to 4096 characters; what doesn't fit is counted instead of being cut in the middle. */
const LENGTH_MAX = 3900;

function describe(faults: readonly Fault[]): string {
  let text = 'the value does not fit the schema: ';
  for (const [index, { path, message }] of faults.entries()) {
    const reason = `${index === 0 ? '' : '; '}${path === '' ? 'it' : path} ${message}`;
    if (text.length + reason.length > LENGTH_MAX) return `${text}; and ${faults.length - index} more`;
    text += reason;
  }
  return text;
}
