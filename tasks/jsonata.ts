import { z } from 'zod';
import { PermanentError } from '../src/engine/index.ts';
import { declareTask } from './kit/declaration.ts';
import { compileExpression, isForGood } from './kit/expression.ts';
import { expressionCost, expressionFaults, expressionSchema } from './kit/expression-params.ts';

const paramsSchema = z
  .strictObject({
    expression: expressionSchema.meta({
      description: 'Evaluated over the value; `$metadata`, `$itemId` and `$sequenceId` are the item’s.',
    }),
    timeoutSeconds: z.number().min(0.001).max(60).default(1).meta({ description: 'How long an evaluation may take; it is stopped then.' }),
  })
  .meta({ examples: [{ expression: '{ "name": name, "total": $sum(lines.(price * quantity)), "source": $metadata.source }' }] });

export const jsonata = declareTask({
  name: 'jsonata',
  description:
    'Replaces the value with the result of a JSONata expression over it; no result is `null`. An expression that fails on a value fails its item without a retry, as it would again.',
  params: paramsSchema,
  verbatim: ['expression'],
  costOf: expressionCost,
  check: expressionFaults,
  prepare({ expression, timeoutSeconds }) {
    const evaluate = compileExpression(expression, timeoutSeconds);
    const fail = (error: unknown): never => {
      if (!isForGood(error)) throw error;
      throw new PermanentError(`the expression fails: ${(error as Error).message}`);
    };
    return (value, { metadata, itemId, sequenceId }) => {
      const found = evaluate(value, { metadata, itemId, sequenceId });
      return found instanceof Promise ? found.then((late: unknown) => late ?? null, fail) : (found ?? null);
    };
  },
});
