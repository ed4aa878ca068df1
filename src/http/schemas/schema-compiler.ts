/*
 * Room `schemas`: schemas of requests and responses: compiled for checking and for writing, and described as OpenAPI.
 *
 * Holds: A schema in zod is the only source: the check, the serializer and the document are made from it. A message names the field.
 * Refuses: to accept what a schema does not name, and to write what it does not name.
 */

import { setImmediate } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fastJsonStringify from 'fast-json-stringify';
import type { FastifySchemaCompiler, FastifySerializerCompiler, FastifyTypeProvider } from 'fastify';
import type { z } from 'zod';
import { faultsOf } from '../../schemas/faults.ts';
import { ajvFaults, invalidInput } from '../problems/faults.ts';
import { forSerializer, inlineJsonSchema, needsZod } from './json-schema.ts';
import { toJsonSafe } from './safe-json.ts';

/**
 * zod schemas are the source; what runs at each request is compiled from them once: ajv checks what comes in,
 * fast-json-stringify writes what goes out. Where JSON Schema cannot say what a schema says, zod itself checks as well.
 *
 * Compiling all of them takes longer than the rest of the start. So each is compiled when it is first needed, and those that
 * nobody has needed by then one after the other when the service listens ({@link compileWhenIdle}).
 */

const pending = new Set<() => unknown>();

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  const get = (): T => {
    if (made === undefined) {
      pending.delete(get);
      made = make();
    }
    return made;
  };
  pending.add(get);
  return get;
}

/** Compiles what is left, one schema a turn of the event loop. Rejects when one cannot be compiled. */
export async function compileWhenIdle(): Promise<void> {
  for (const next of pending) {
    next();
    await setImmediate();
  }
}

/** Types of a handler from the zod schemas of its route. */
export interface ZodTypes extends FastifyTypeProvider {
  validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
  serializer: this['schema'] extends z.ZodType ? z.input<this['schema']> : unknown;
}

// allErrors can be made to work hard by a large input; the body limit and the faults' own cap bound it.
// The schemas are our own, made by zod. Compiling the meta-schemas that would look at them took longer than compiling all of them.
const options = { allErrors: true, useDefaults: true, strict: false, validateFormats: true, meta: false, validateSchema: false } as const;
const bodyAjv = new Ajv2020(options);
/** Only what is text by nature is coerced; "array" lets a parameter that may be repeated come once. */
const textAjv = new Ajv2020({ ...options, coerceTypes: 'array' });
for (const ajv of [bodyAjv, textAjv]) (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);

type Checked = { value: unknown } | { error: Error };

/**
 * A validator of one part of a request. A part that isn't there reaches it as null (Fastify's way), so a schema that takes
 * `undefined` makes its body optional.
 */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart = 'body' }) => {
  let ofSchema = checks.get(schema);
  if (ofSchema === undefined) {
    ofSchema = new Map();
    checks.set(schema, ofSchema);
  }
  let check = ofSchema.get(httpPart);
  if (check === undefined) {
    check = lazily(() => compileCheck(schema, httpPart));
    ofSchema.set(httpPart, check);
  }
  const compiled = check;
  return (data: unknown) => compiled()(data);
};

/** By schema and part of the request: a process may have many services, as the tests do, and each has the same routes. */
const checks = new WeakMap<z.ZodType, Map<string, () => (data: unknown) => Checked>>();

function compileCheck(schema: z.ZodType, httpPart: string): (data: unknown) => Checked {
  const isText = httpPart !== 'body';
  const optional = !isText && schema.safeParse(undefined).success;
  const withZod = needsZod(schema);
  const jsonSchema = inlineJsonSchema(schema, 'input');
  const withAjv = isText || !withZod ? (isText ? textAjv : bodyAjv).compile(jsonSchema) : undefined;
  const lists = isText ? listNames(jsonSchema) : [];

  const check = (data: unknown): Checked => {
    if (data === null && optional) return { value: undefined };
    if (lists.length > 0) splitLists(data as Record<string, unknown>, lists);
    if (withAjv && !withAjv(data) && !withZod) {
      const faults = data === null ? [{ path: '', message: 'is required' }] : ajvFaults(withAjv.errors ?? []);
      return { error: invalidInput(httpPart, faults) };
    }
    if (!withZod) return { value: data };
    // Where both look, ajv has only coerced what is text: zod has the better words.
    const parsed = schema.safeParse(data, { reportInput: true });
    return parsed.success ? { value: parsed.data } : { error: invalidInput(httpPart, faultsOf(parsed.error)) };
  };
  if (httpPart === 'params') return remembering(check);
  return httpPart === 'querystring' && takesNothing(check) ? exceptEmpty(check) : check;
}

/** Whether a query without parameters is right as it is: none is required, and none has a default. */
function takesNothing(check: (data: unknown) => Checked): boolean {
  const checked = check({});
  return 'value' in checked && Object.keys(checked.value as object).length === 0;
}

/** Most queries are empty: what is known of an empty one needs no look. */
function exceptEmpty(check: (data: unknown) => Checked): (data: unknown) => Checked {
  return (data) => {
    for (const _ in data as object) return check(data);
    return { value: data };
  };
}

const PATHS_REMEMBERED = 1000;

/** Parameters of a path are a few short texts, and the same ones come again and again: what was found right needs no second look. */
function remembering(check: (data: unknown) => Checked): (data: unknown) => Checked {
  const right = new Set<string>();
  return (data) => {
    const key = Object.values(data as Record<string, string>).join('\n');
    if (right.has(key)) return { value: data };
    const checked = check(data);
    if ('value' in checked) {
      if (right.size >= PATHS_REMEMBERED) right.clear();
      right.add(key);
    }
    return checked;
  };
}

const listNames = (schema: { properties?: unknown }): string[] =>
  Object.entries((schema.properties ?? {}) as Record<string, { type?: unknown }>).flatMap(([name, { type }]) =>
    type === 'array' ? [name] : [],
  );

/** `?status=a,b` and `?status=a&status=b` are the same. */
function splitLists(query: Record<string, unknown>, names: string[]): void {
  for (const name of names) {
    const value = query[name];
    if (typeof value === 'string' || Array.isArray(value)) query[name] = [value].flat().flatMap((entry) => String(entry).split(','));
  }
}

/** Writes a value of this schema as JSON. */
export type Writer = (data: unknown) => string;
const writers = new WeakMap<z.ZodType, Writer>();

/** A writer of a reply. It never throws: a task's result can be anything, and is no reason for a 5xx. */
export function compileWriter(schema: z.ZodType): Writer {
  const known = writers.get(schema);
  if (known) return known;
  const compiled = lazily(() => fastJsonStringify(forSerializer(inlineJsonSchema(schema, 'output')) as fastJsonStringify.Schema));
  const writer: Writer = (data) => {
    try {
      const text = compiled()(data as object);
      // JSON.stringify(function) is undefined, which would have been pasted in as a word.
      if (!text.includes('undefined')) return text;
    } catch {
      // A bigint, a cycle, a throwing toJSON: written from a copy below.
    }
    const copy = toJsonSafe(data);
    try {
      return compiled()(copy as object);
    } catch {
      return JSON.stringify(copy ?? null);
    }
  };
  writers.set(schema, writer);
  return writer;
}

export const serializerCompiler: FastifySerializerCompiler<z.ZodType> = ({ schema }) => compileWriter(schema);
