import { z } from 'zod';
import { declarePredicate } from './kit/declaration.ts';
import { compileExpression } from './kit/expression.ts';
import { expressionCost, expressionFaults, expressionSchema } from './kit/expression-params.ts';

export const jsonataTrue = declarePredicate({
  name: 'jsonata_true',
  description:
    'Skips the stage for an item when a JSONata expression over its value is `true`, and only then: what finds nothing, fails or gives another value does not skip.',
  params: z
    .strictObject({
      expression: expressionSchema.meta({
        description: 'Evaluated over the value; `$metadata`, `$itemId` and `$sequenceId` are the item’s. At most one second.',
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
