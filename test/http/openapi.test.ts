import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileWhenIdle } from '../../src/http/schemas/schema-compiler.ts';
import { type Service, startService } from './app-harness.ts';

interface Media {
  schema: { $ref?: string; examples?: unknown[] };
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}
interface Parameter {
  name: string;
  in: string;
  description?: string;
  required?: boolean;
  schema: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}
interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { description: string; headers?: object; content?: Record<string, Media> }>;
}
interface Document {
  openapi: string;
  info: object;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { examples?: unknown[] }> };
  tags: { name: string }[];
}

let service: Service;
let document: Document;
let operations: { name: string; path: string; operation: Operation }[];
let ajv: Ajv2020;

beforeAll(async () => {
  service = await startService();
  document = (await service.app.inject('/openapi.json')).json();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
  );
  ajv = new Ajv2020({ strict: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
});
afterAll(() => service[Symbol.asyncDispose]());

/** By their text: hundreds of replies have the schema of a problem. */
const compiled = new Map<string, ValidateFunction>();

/** A validator of a schema that stands in the document. It throws when a reference leads nowhere. */
function compile(schema: object): ValidateFunction {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"openapi#/components/');
  const known = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
  compiled.set(text, known);
  return known;
}

function expectFits(validate: ValidateFunction, example: unknown, where: string): void {
  expect.soft(validate(example) ? [] : validate.errors, where).toEqual([]);
}

/** Every body that is sent or received, with its examples: its own, or those of the schema that it refers to. */
function bodies(): { where: string; status: number | null; type: string; media: Media; examples: unknown[] }[] {
  return operations.flatMap(({ name, operation: { requestBody, responses } }) => {
    const sent = Object.entries(requestBody?.content ?? {}).map(([type, media]) => ({ status: null, type, media }));
    const received = Object.entries(responses).flatMap(([status, { content = {} }]) =>
      Object.entries(content).map(([type, media]) => ({ status: Number(status), type, media })),
    );
    return [...sent, ...received].map((body) => ({
      ...body,
      where: `${name} ${body.status ?? 'body'} ${body.type}`,
      examples: examplesOf(body.media),
    }));
  });
}

function examplesOf({ schema, example, examples }: Pick<Media, 'schema' | 'example' | 'examples'>): unknown[] {
  if (example !== undefined) return [example];
  if (examples !== undefined) return Object.values(examples).map(({ value }) => value);
  const name = schema.$ref?.split('/').at(-1);
  return schema.examples ?? (name === undefined ? [] : (document.components.schemas[name]?.examples ?? []));
}

/** Every object in the document, but not what stands in examples. */
function* nodes(node: unknown, at: string): Generator<{ at: string; node: Record<string, unknown> }> {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node)) yield { at, node: node as Record<string, unknown> };
  for (const [key, value] of Object.entries(node)) {
    if (key !== 'example' && key !== 'examples' && key !== 'default') yield* nodes(value, `${at}/${key}`);
  }
}

it('every schema of every route compiles, though none is asked for', async () => {
  await expect(compileWhenIdle()).resolves.toBeUndefined();
});

describe('the OpenAPI document', () => {
  it('says of every operation what it is, does, and is called', () => {
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const { name, operation } of operations) {
      expect(operation, name).toMatchObject({ summary: expect.stringMatching(/./), description: expect.stringMatching(/./) });
      expect(operation.tags, name).toHaveLength(1);
      expect(tags, name).toContain(operation.tags?.[0]);
    }
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('describes every parameter, and names each of the path', () => {
    for (const { name, path, operation } of operations) {
      const parameters = operation.parameters ?? [];
      for (const parameter of parameters) {
        const where = `${name} ${parameter.in} ${parameter.name}`;
        expect(parameter.description, where).toMatch(/./);
        // OpenAPI 3.1 section 4.8.12.2.1: as parameters these are ignored; the media types of the replies say the same.
        expect(['accept', 'content-type', 'authorization'], where).not.toContain(parameter.name.toLowerCase());
        for (const example of examplesOf(parameter)) expectFits(compile(parameter.schema), example, where);
      }
      expect(new Set(parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).size, name).toBe(parameters.length);
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map((parameter) => `{${parameter.name}}`).sort(), name).toEqual((path.match(/\{\w+\}/g) ?? []).sort());
      for (const parameter of inPath) expect(parameter.required && examplesOf(parameter).length, `${name} ${parameter.name}`).toBe(1);
    }
  });

  it('says of every operation who may call it', () => {
    for (const { name, operation } of operations) {
      const { 'x-scope': scope, description, security } = operation as Operation & { 'x-scope'?: string; security?: object[] };
      expect(scope, name).toMatch(/^(public|any|read|feed|operate|admin)$/);
      expect(description, name).toMatch(scope === 'public' ? /Needs no key[.]$/ : /Needs (a key, of any scope|the scope `\w+`).*[.]$/);
      expect(security, name).toEqual(scope === 'public' ? [] : undefined);
    }
  });

  it('knows the header that resumes an event stream', () => {
    const parameters = document.paths['/pipelines/{id}/events']?.get?.parameters ?? [];
    expect(parameters).toContainEqual(expect.objectContaining({ name: 'last-event-id', in: 'header', required: false }));
  });

  it('has an example of every body, and each fits its schema', () => {
    for (const { where, media, examples } of bodies()) {
      expect(examples.length, `${where} has an example`).toBeGreaterThan(0);
      for (const example of examples) expectFits(compile(media.schema), example, where);
    }
    expect(bodies().map(({ type }) => type)).toEqual(expect.arrayContaining(['text/event-stream', 'application/x-ndjson']));
  });

  it('has no example in any schema that does not fit it', () => {
    const withExamples = [...nodes(document, '#')].filter(({ node }) => Array.isArray(node.examples));
    expect(withExamples.length).toBeGreaterThan(20);
    for (const { at, node } of withExamples) for (const example of node.examples as unknown[]) expectFits(compile(node), example, at);
  });

  it('shows with every error a problem of each code that it names', () => {
    for (const { name, path, operation } of operations) {
      const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
      expect(errors.length, name).toBeGreaterThan(1);
      for (const [status, { description, content, headers }] of errors) {
        const examples = content?.['application/problem+json']?.examples ?? {};
        const named = [...description.matchAll(/`([\w-]+)`/g)].map(([, code]) => code);
        expect(named.length, name).toBeGreaterThan(0);
        expect(Object.keys(examples), `${name} ${status}`).toEqual(named);
        for (const [code, { value }] of Object.entries(examples)) {
          expect(value, `${name} ${status}`).toMatchObject({ code, status: Number(status), type: `urn:sluice:problem:${code}` });
          const { instance, fix, errors: faults } = value as { instance: string; fix: string; errors?: object[] };
          expect(new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/{}]+')}$`).test(instance), `${name} ${instance}`).toBe(true);
          if (/listed in errors/.test(fix)) expect(faults?.length, `${name} ${code}`).toBeGreaterThan(0);
        }
        expect(Object.keys(headers ?? {}).includes('retry-after'), `${name} ${status}`).toBe(status === '429' || status === '503');
      }
    }
  });

  // The rules of OpenAPI 3.1 that @fastify/swagger could break; its meta-schema is no dependency.
  it('has the structure that OpenAPI 3.1 asks for', () => {
    expect(document).toMatchObject({ openapi: '3.1.1', info: { title: 'Sluice', version: expect.stringMatching(/^\d+[.]\d+[.]\d+/) } });
    expect(Object.keys(document.paths).every((path) => path.startsWith('/'))).toBe(true);
    expect(Object.keys(document.components.schemas).every((name) => /^[\w.-]+$/.test(name))).toBe(true);
    for (const { name, operation } of operations) {
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(status, name).toMatch(/^[1-5]\d\d$/);
        expect(description, `${name} ${status}`).toMatch(/./);
      }
    }
    for (const { at, node } of nodes(document, '#')) {
      expect('example' in node && 'examples' in node, `${at} has one of example and examples`).toBe(false);
      expect('nullable' in node, `${at} has nothing of OpenAPI 3.0`).toBe(false);
      if (typeof node.$ref !== 'string') continue;
      const steps = node.$ref.replace(/^#\//, '').split('/');
      expect(
        steps.reduce<unknown>((from, step) => (from as Record<string, unknown> | undefined)?.[step], document),
        `${at} ${node.$ref}`,
      ).toBeDefined();
    }
  });
});
