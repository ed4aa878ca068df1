import { z } from 'zod';
import { declarePredicate } from './kit/declaration.ts';
import { compileExpression } from './kit/expression.ts';
import { expressionCost, expressionFaults, expressionSchema } from './kit/expression-params.ts';

export const jsonataTrue = declarePredicate({
  name: 'jsonata_true',
  description:
    'Skips the stage if a JSONata expression over the value evaluates to `true`. Any other result, no result, or an error does not skip it.',
  params: z
    .strictObject({
      expression: expressionSchema.meta({
        description:
          'The expression, evaluated over the value; `$metadata`, `$itemId` and `$sequenceId` are those of the item. The time limit is one second.',
      }),
    })
    .meta({ examples: [{ expression: '$exists(price) and price > 0' }] }),
  verbatim: ['expression'],
  costOf: expressionCost,
  check: expressionFaults,
  prepare({ expression }) {
    const evaluate = compileExpression(expression);
    return async (value, { metadata, itemId, sequenceId }) => (await evaluate(value, { metadata, itemId, sequenceId })) === true;
  },
});
