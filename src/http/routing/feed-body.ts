import { z } from 'zod';
import { SluiceError } from '../../engine/index.ts';
import { feedBodySchema } from '../../schemas/control.ts';
import { withIdsOf } from '../bodies/item-reading.ts';
import { NDJSON_TYPES } from '../bodies/ndjson-body.ts';
import { invalidInput } from '../problems/faults.ts';

const lineSchema = z.unknown().meta({
  description: 'One item per line.',
  examples: ['{"id":"order-4711","sku":"A7","quantity":3}\n{"id":"order-4712","sku":"B2"}\n'],
});

/** The body of feed and run: JSON with the options beside the items, or NDJSON with the options in the query. */
export const feedContent = {
  content: {
    'application/json': { schema: feedBodySchema },
    ...Object.fromEntries(NDJSON_TYPES.map((type) => [type, { schema: lineSchema }])),
  },
};

/** A JSON body has been checked by its schema; a request without any has not. `idField`: the member that is the id of each item. */
export function jsonFeedBody(body: unknown, idField: string | undefined, maxItems: number): z.infer<typeof feedBodySchema> {
  if (body === undefined || body === null) throw invalidInput('body', [{ path: '', message: 'is required' }]);
  const given = body as z.infer<typeof feedBodySchema>;
  const { length } = given.items;
  if (length > maxItems) {
    throw new SluiceError('too-many-items', `the body holds ${length} items, more than the ${maxItems} that MAX_ITEMS_PER_REQUEST allows`);
  }
  if (idField === undefined) return given;
  const { items, faults } = withIdsOf(given.items, idField);
  if (faults.length > 0) throw invalidInput('body', faults);
  return { ...given, items };
}
