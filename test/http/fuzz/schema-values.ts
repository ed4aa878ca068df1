import type { Random } from '../../engine/simulation/random.ts';
import type { ApiDocument, Schema } from './openapi.ts';
import { nameOf } from './texts.ts';

/** Deeper than any schema of the API: a schema that holds itself ends here. */
const DEPTH_MAX = 12;

/** A value that the schema takes, as far as the keywords tell that the API uses. `hint` may know a better one for a member. */
export function createSchemaValues(document: ApiDocument, random: Random) {
  return valueFor;

  function valueFor(schema: Schema, hint: (member: string) => unknown = () => undefined, member = '', depth = 0): unknown {
    const hinted = hint(member);
    if (hinted !== undefined) return hinted;
    const name = schema.$ref?.split('/').at(-1);
    if (name !== undefined) return valueFor(document.components.schemas[name] ?? {}, hint, member, depth);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return random.pick(schema.enum);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices !== undefined) return valueFor(random.pick(choices), hint, member, depth);
    switch (random.pick([schema.type ?? 'any'].flat())) {
      case 'object':
        return objectOf(schema, hint, depth);
      case 'array': {
        const least = schema.minItems ?? 0;
        const length = depth > DEPTH_MAX ? least : random.int(least, Math.min(schema.maxItems ?? 4, least + 3));
        return Array.from({ length }, () => valueFor(schema.items ?? {}, hint, member, depth + 1));
      }
      case 'string':
        return textOf(schema);
      case 'integer':
        return random.int(schema.minimum ?? 0, Math.min(schema.maximum ?? 10, (schema.minimum ?? 0) + 10));
      case 'number': {
        const least = schema.minimum ?? schema.exclusiveMinimum ?? 0;
        return least + random.next() * Math.min((schema.maximum ?? least + 2) - least, 2) * 0.99 + 1e-6;
      }
      case 'boolean':
        return random.chance(0.5);
      case 'null':
        return null;
      default:
        return random.pick([1, 'a', true, null, [1], { a: 1 }]);
    }
  }

  function objectOf(schema: Schema, hint: (member: string) => unknown, depth: number): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(schema.properties ?? {})) {
      const isRequired = schema.required?.includes(key) === true;
      if (isRequired || (depth <= DEPTH_MAX && random.chance(0.5))) made[key] = valueFor(member, hint, key, depth + 1);
    }
    const { additionalProperties } = schema;
    if (typeof additionalProperties === 'object' && depth <= DEPTH_MAX && random.chance(0.3)) {
      made[nameOf(random)] = valueFor(additionalProperties, hint, '', depth + 1);
    }
    return made;
  }

  function textOf(schema: Schema): string {
    const name = nameOf(random);
    return schema.minLength === undefined || name.length >= schema.minLength ? name : name.padEnd(schema.minLength, 'x');
  }
}
