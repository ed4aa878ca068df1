import { z } from 'zod';

export type JsonSchema = { [keyword: string]: unknown };
export type Io = 'input' | 'output';

const isObject = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value);

interface Converted {
  root: JsonSchema;
  defs: Record<string, JsonSchema>;
}

/** Many routes share a schema, and it is asked for by the compilers and by the document. */
const converted: Record<Io, WeakMap<z.ZodType, Converted>> = { input: new WeakMap(), output: new WeakMap() };

/** The JSON Schema (2020-12) of a zod schema, not to be changed. Schemas with an id stand in `$defs`, the given one too. */
export function toJsonSchema(schema: z.ZodType, io: Io): Converted {
  let known = converted[io].get(schema);
  if (known === undefined) {
    known = convert(schema, io);
    converted[io].set(schema, known);
  }
  return known;
}

function convert(schema: z.ZodType, io: Io): Converted {
  // A wrapper, because zod writes the schema that it is given inline even when it has an id.
  const wrapped = z.toJSONSchema(z.object({ root: schema }), { io, unrepresentable: 'any', override: tidy }) as JsonSchema;
  return {
    root: (wrapped.properties as Record<string, JsonSchema>).root ?? {},
    defs: (wrapped.$defs ?? {}) as Record<string, JsonSchema>,
  };
}

function tidy({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  // The bounds of safe integers say nothing that `integer` doesn't.
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (
    isObject(jsonSchema.propertyNames) &&
    jsonSchema.propertyNames.type === 'string' &&
    Object.keys(jsonSchema.propertyNames).length === 1
  ) {
    delete jsonSchema.propertyNames;
  }
  // Replies may gain fields: only an object that is strict on purpose is closed.
  if (zodSchema._zod.def.type === 'object' && zodSchema._zod.def.catchall === undefined) delete jsonSchema.additionalProperties;
}

/** Rewrites every `$ref` of zod's `#/$defs/<id>` form. */
export function mapRefs(schema: unknown, rename: (id: string) => unknown): unknown {
  if (Array.isArray(schema)) return schema.map((entry) => mapRefs(entry, rename));
  if (!isObject(schema)) return schema;
  if (typeof schema.$ref === 'string' && schema.$ref.startsWith('#/$defs/')) {
    const { $ref, ...siblings } = schema;
    const target = rename($ref.slice('#/$defs/'.length));
    return isObject(target) ? { ...target, ...siblings } : siblings;
  }
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, mapRefs(value, rename)]));
}

const PLAIN = ['string', 'number', 'integer', 'boolean'];

/** The same schema with `X or null` as one schema of two types, where X is text, a number or a switch: so it reads best, and generators know it. */
export function foldNull(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(foldNull);
  if (!isObject(node)) return node;
  const { anyOf, ...rest } = node;
  if (Array.isArray(anyOf) && anyOf.length === 2 && isObject(anyOf[1]) && anyOf[1].type === 'null') {
    const [one] = anyOf as [JsonSchema];
    // An enum or a constant would have to list null as well.
    if (PLAIN.includes(String(one.type)) && !('enum' in one || 'const' in one)) return { ...one, ...rest, type: [one.type, 'null'] };
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, key === 'examples' ? value : foldNull(value)]));
}

/** One schema without references, for the compilers. Our schemas are finite trees. */
export function inlineJsonSchema(schema: z.ZodType, io: Io): JsonSchema {
  const { root, defs } = toJsonSchema(schema, io);
  const inline = (node: unknown): unknown => mapRefs(node, (id) => inline(defs[id] ?? {}));
  return inline(root) as JsonSchema;
}

/**
 * The same schema as fast-json-stringify serves it best: `X or null` as a nullable X (a union is validated branch by branch at
 * each reply), nothing required (a missing field must not turn a reply into an error), unknown values that have to be there null when they are undefined.
 */
export function forSerializer(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(forSerializer);
  if (!isObject(node)) return node;
  const { required = [], examples: _, description: __, anyOf, properties, ...rest } = node;
  const orNull = (name: string): JsonSchema => ((required as string[]).includes(name) ? { default: null } : {});
  const out = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, forSerializer(value)]));
  if (Array.isArray(anyOf)) {
    const branches = anyOf.filter((branch) => !(isObject(branch) && branch.type === 'null')).map(forSerializer);
    if (branches.length < anyOf.length && branches.length === 1 && isObject(branches[0]))
      Object.assign(out, branches[0], { nullable: true });
    else out.anyOf = anyOf.map(forSerializer);
  }
  if (isObject(properties)) {
    out.properties = Object.fromEntries(
      Object.entries(properties).map(([name, value]) => [name, isUnknown(value) ? orNull(name) : forSerializer(value)]),
    );
  }
  return out;
}

const TYPING = ['type', 'anyOf', 'oneOf', 'allOf', 'enum', 'const', '$ref', 'properties'];
const isUnknown = (schema: unknown): boolean => isObject(schema) && !TYPING.some((keyword) => keyword in schema);

/** Checks that JSON Schema can say, so that ajv alone does the work. */
const EXPRESSIBLE = new Set([
  'less_than',
  'greater_than',
  'multiple_of',
  'number_format',
  'max_length',
  'min_length',
  'length_equals',
  'string_format',
]);
const INEXPRESSIBLE_TYPES = new Set(['custom', 'transform', 'pipe', 'catch', 'function', 'promise', 'date', 'map', 'set', 'bigint']);

/**
 * Whether the schema holds something that z.toJSONSchema drops without a word (a refinement, a transformation), or says worse
 * than zod (which branch of a union was meant).
 */
export function needsZod(schema: z.core.$ZodType, seen = new Set<unknown>()): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  const def = schema._zod.def as unknown as Record<string, unknown>;
  if (INEXPRESSIBLE_TYPES.has(String(def.type)) || def.type === 'union') return true;
  const checks = (def.checks ?? []) as { _zod: { def: { check: string } } }[];
  if (checks.some((check) => !EXPRESSIBLE.has(check._zod.def.check))) return true;
  return Object.entries(def).some(([key, value]) => key !== 'checks' && children(value).some((child) => needsZod(child, seen)));
}

function children(value: unknown): z.core.$ZodType[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('_zod' in value) return [value as z.core.$ZodType];
  return Object.values(value).flatMap((entry) =>
    typeof entry === 'object' && entry !== null && '_zod' in entry ? [entry as z.core.$ZodType] : [],
  );
}
