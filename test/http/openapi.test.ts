import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Service, startService } from './app-harness.ts';

interface Media {
  schema: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}
interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: { name: string; in: string; description?: string; required?: boolean }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { examples?: unknown[] }> };
  tags: { name: string }[];
}

let service: Service;
let document: Document;
let operations: { name: string; path: string; operation: Operation }[];

beforeAll(async () => {
  service = await startService();
  document = (await service.app.inject('/openapi.json')).json();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
  );
});
afterAll(() => service[Symbol.asyncDispose]());

/** Every body that is sent or received, with its examples: its own, or those of the schema that it refers to. */
function bodies(): { where: string; type: string; media: Media; examples: unknown[] }[] {
  return operations.flatMap(({ name, operation }) => {
    const sent = Object.entries(operation.requestBody?.content ?? {}).map(([type, media]) => ({ where: `${name} body`, type, media }));
    const received = Object.entries(operation.responses).flatMap(([status, { content }]) =>
      Object.entries(content ?? {}).map(([type, media]) => ({ where: `${name} ${status}`, type, media })),
    );
    return [...sent, ...received].map((body) => ({ ...body, examples: examplesOf(body.media) }));
  });
}

function examplesOf({ schema, example, examples }: Media): unknown[] {
  if (example !== undefined) return [example];
  if (examples !== undefined) return Object.values(examples).map(({ value }) => value);
  const { $ref, examples: own } = schema as { $ref?: string; examples?: unknown[] };
  const name = $ref?.split('/').at(-1);
  return own ?? (name === undefined ? [] : (document.components.schemas[name]?.examples ?? []));
}

describe('the OpenAPI document', () => {
  it('says of every operation what it is, does, and is called', () => {
    expect(document.openapi).toMatch(/^3[.]1/);
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const { name, operation } of operations) {
      expect(operation, name).toMatchObject({ summary: expect.stringMatching(/./), description: expect.stringMatching(/./) });
      expect(
        operation.tags?.every((tag) => tags.has(tag)),
        name,
      ).toBe(true);
    }
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('describes every parameter, and names each of the path', () => {
    for (const { name, path, operation } of operations) {
      for (const parameter of operation.parameters ?? []) expect(parameter.description, `${name} ${parameter.name}`).toMatch(/./);
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(inPath.map((parameter) => `{${parameter.name}}`).sort(), name).toEqual((path.match(/\{\w+\}/g) ?? []).sort());
    }
    const resumes = document.paths['/pipelines/{id}/events']?.get?.parameters ?? [];
    expect(resumes).toContainEqual(expect.objectContaining({ name: 'last-event-id', in: 'header', required: false }));
  });

  it('has an example of every body, and each fits its schema', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: true });
    addFormats.default(ajv);
    ajv.addSchema(document, 'openapi');
    for (const { where, type, media, examples } of bodies()) {
      expect(examples.length, `${where} ${type} has an example`).toBeGreaterThan(0);
      const pointed = JSON.parse(JSON.stringify(media.schema).replaceAll('"#/components/', '"openapi#/components/')) as object;
      const validate = ajv.compile(pointed);
      const values = type === 'application/x-ndjson' ? examples.flatMap(linesOf) : examples;
      for (const value of values) expect(validate(value) ? [] : validate.errors, `${where} ${type}`).toEqual([]);
    }
  });

  it('shows with every error a problem of that code', () => {
    const problems = bodies().filter(({ type }) => type === 'application/problem+json');
    expect(problems.length).toBeGreaterThan(operations.length);
    for (const { where, media } of problems) {
      for (const [code, { value }] of Object.entries(media.examples ?? {})) {
        expect(value, where).toMatchObject({ code, status: Number(where.split(' ').at(-1)), type: `urn:sluice:problem:${code}` });
      }
    }
  });
});

function linesOf(example: unknown): unknown[] {
  if (typeof example !== 'string') return [example];
  return example
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
