import { z } from 'zod';
import { PermanentError } from '../src/engine/index.ts';
import { declareTask } from './kit/declaration.ts';
import { compileExpression } from './kit/expression.ts';
import { expressionFaults, expressionSchema } from './kit/expression-params.ts';

const paramsSchema = z
  .strictObject({
    expression: expressionSchema.meta({
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

export const jsonata = declareTask({
  name: 'jsonata',
  description:
    'Replaces the value with the result of a JSONata expression over it; no result is `null`. An expression that fails on a value fails its item without a retry, as it would again.',
  params: paramsSchema,
  verbatim: ['expression'],
  check: expressionFaults,
  prepare({ expression, timeoutSeconds }) {
    const evaluate = compileExpression(expression, timeoutSeconds);
    return async (value, { metadata, itemId, sequenceId }) => {
      try {
        return (await evaluate(value, { metadata, itemId, sequenceId })) ?? null;
      } catch (error) {
        throw new PermanentError(`the expression fails: ${(error as Error).message}`);
      }
    };
  },
});
