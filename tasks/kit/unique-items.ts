import type { FuncKeywordDefinition, SchemaValidateFunction } from 'ajv';
import { canonicalJson } from './canonical-json.ts';

/** `uniqueItems` in one pass over the canonical JSON of each item, where ajv compares each with each. Equal is what JSON Schema holds equal. */
export const uniqueItems: FuncKeywordDefinition = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  validate: checkUnique,
};

function checkUnique(wanted: boolean, items: unknown[]): boolean {
  if (!wanted) return true;
  const firsts = new Map<unknown, number>();
  for (const [index, item] of items.entries()) {
    // A text as it is would be taken for the canonical JSON of something else.
    const key = typeof item === 'object' && item !== null ? canonicalJson(item) : typeof item === 'string' ? JSON.stringify(item) : item;
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, index);
      continue;
    }
    const message = `must NOT have duplicate items (items ## ${first} and ${index} are identical)`;
    (checkUnique as SchemaValidateFunction).errors = [{ keyword: 'uniqueItems', message, params: { i: index, j: first } }];
    return false;
  }
  return true;
}
