import { z } from 'zod';
import { answerFault, retryableSchema } from './kit/answer-fault.ts';
import { declareTask } from './kit/declaration.ts';
import { compileExpression, isForGood } from './kit/expression.ts';
import { expressionCost, expressionFaults, expressionSchema } from './kit/expression-params.ts';

const paramsSchema = z
  .strictObject({
    expression: expressionSchema.meta({
      description: 'The expression, evaluated over the value; `$metadata`, `$itemId` and `$sequenceId` are those of the item.',
    }),
    timeoutSeconds: z.number().min(0.001).max(60).default(1).meta({ description: 'Time limit of an evaluation.' }),
    retryable: retryableSchema,
  })
  .meta({ examples: [{ expression: '{ "name": name, "total": $sum(lines.(price * quantity)), "source": $metadata.source }' }] });

export const jsonata = declareTask({
  name: 'jsonata',
  description:
    'Replaces the value with the result of a JSONata expression over it, or with `null` if there is no result. If the expression fails, the item fails without a retry, because a retry would fail as well, unless `retryable` says otherwise. `$parseJson(text)` reads a text as JSON, in all expressions.',
  params: paramsSchema,
  verbatim: ['expression'],
  costOf: expressionCost,
  check: expressionFaults,
  prepare({ expression, timeoutSeconds, retryable }) {
    const evaluate = compileExpression(expression, timeoutSeconds);
    const fail = (error: unknown): never => {
      if (!isForGood(error)) throw error;
      throw answerFault(`the expression fails: ${(error as Error).message}`, retryable);
    };
    return (value, context) => {
      const { metadata, itemId, sequenceId } = context;
      const found = evaluate(value, { metadata, itemId, sequenceId }, context);
      return found instanceof Promise ? found.then((late: unknown) => late ?? null, fail) : (found ?? null);
    };
  },
});
