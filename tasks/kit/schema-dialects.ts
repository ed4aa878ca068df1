import { createRequire } from 'node:module';
import type { Ajv as Draft07 } from 'ajv';
import type { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';

/** A class of ajv that knows one dialect of JSON Schema. */
type Validator = typeof Ajv2020 | typeof Ajv2019 | typeof Draft07;

export interface Dialect {
  /** The address of its meta-schema, as `$schema` names it. */
  id: string;
  Validator: Validator;
  /** Meta-schemas that the class does not bring along. */
  metaSchemas: readonly object[];
}

const require = createRequire(import.meta.url);
const newest: Dialect = { id: 'https://json-schema.org/draft/2020-12/schema', Validator: Ajv2020, metaSchemas: [] };

const draft07 = (): typeof Draft07 => (require('ajv') as { Ajv: typeof Draft07 }).Ajv;

/** The others are loaded when somebody names them. */
const dialects: Record<string, () => Dialect> = {
  'json-schema.org/draft/2020-12/schema': () => newest,
  'json-schema.org/draft/2019-09/schema': () => ({
    id: 'https://json-schema.org/draft/2019-09/schema',
    Validator: (require('ajv/dist/2019.js') as { Ajv2019: typeof Ajv2019 }).Ajv2019,
    metaSchemas: [],
  }),
  'json-schema.org/draft-07/schema': () => ({ id: 'http://json-schema.org/draft-07/schema#', Validator: draft07(), metaSchemas: [] }),
  'json-schema.org/draft-06/schema': () => ({
    id: 'http://json-schema.org/draft-06/schema#',
    Validator: draft07(),
    metaSchemas: [require('ajv/dist/refs/json-schema-draft-06.json') as object],
  }),
};

const known = new Map<string, Dialect>();

/** The dialect that a schema names in `$schema`, draft 2020-12 when it names none. Throws an Error that lists those that there are. */
export function dialectOf(schema: unknown): Dialect {
  const named = typeof schema === 'object' && schema !== null ? (schema as { $schema?: unknown }).$schema : undefined;
  if (named === undefined) return newest;
  const name = String(named)
    .replace(/^https?:[/][/]/, '')
    .replace(/#$/, '');
  const load = Object.hasOwn(dialects, name) ? dialects[name] : undefined;
  if (load === undefined) throw new Error(`$schema ${JSON.stringify(named)} is none of draft 2020-12, 2019-09, 07 and 06`);
  const found = known.get(name) ?? load();
  known.set(name, found);
  return found;
}

export const isNewest = (dialect: Dialect): boolean => dialect === newest;
