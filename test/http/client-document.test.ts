/** The rules that make generated clients pleasant, and the narrow document that generators read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiDocument, clientDocument } from '../../src/http/schemas/client-document.ts';
import { type Service, startService } from './app-harness.ts';

interface Media {
  schema: Record<string, unknown>;
  'x-itemSchema'?: { $ref: string };
  'x-dataSchema'?: object;
}
interface Operation {
  operationId: string;
  tags: string[];
  parameters?: { name: string; schema: object; description?: string }[];
  requestBody?: { required?: boolean; content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
}

let service: Service;
let whole: ApiDocument;
let narrow: ApiDocument;

beforeAll(async () => {
  service = await startService();
  whole = (await service.app.inject('/openapi.json')).json();
  narrow = (await service.app.inject('/openapi/client.json')).json();
});
afterAll(() => service[Symbol.asyncDispose]());

const operationsOf = ({ paths }: ApiDocument): { name: string; operation: Operation }[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation: operation as unknown as Operation,
    })),
  );

const JSON_TYPES = new Set(['application/json', 'application/problem+json']);

/** Every body of JSON that is sent or received. */
function jsonBodies(document: ApiDocument): { where: string; schema: Record<string, unknown> }[] {
  return operationsOf(document).flatMap(({ name, operation: { requestBody, responses } }) =>
    [['body', requestBody] as const, ...Object.entries(responses)].flatMap(([part, value]) =>
      Object.entries(value?.content ?? {}).flatMap(([type, { schema }]) =>
        JSON_TYPES.has(type) ? [{ where: `${name} ${part}`, schema }] : [],
      ),
    ),
  );
}

const isReference = (schema: object): boolean => '$ref' in schema;

describe('an operation', () => {
  it('has a name that is a good function', () => {
    const odd = operationsOf(whole).filter(({ operation }) => !/^[a-z]+([A-Z][a-z]+)+$/.test(operation.operationId));
    expect(
      odd.map(({ name, operation }) => `${name}: "${operation.operationId}"`),
      'give the route an operationId of a verb and what it is about, such as listItems or showStats: generators call the function so',
    ).toEqual([]);
  });

  it('has bodies with names', () => {
    const inline = jsonBodies(whole).filter(({ schema }) => !isReference(schema));
    expect(
      inline.map(({ where }) => where),
      'give the zod schema of the body a name, .meta({ id: "ItemPage" }): generators call its type so',
    ).toEqual([]);
  });

  it('says what the messages of its event stream are', () => {
    const streams = operationsOf(whole).flatMap(({ name, operation }) =>
      Object.values(operation.responses).flatMap(({ content = {} }) => {
        const media = content['text/event-stream'];
        return media === undefined ? [] : [{ name, message: media['x-itemSchema'], data: media['x-dataSchema'] }];
      }),
    );
    expect(streams.length).toBeGreaterThan(2);
    const untold = streams.filter(({ message, data }) => message === undefined || data === undefined);
    expect(
      untold.map(({ name }) => name),
      'give the media type a `stream` of src/schemas/messages.ts beside its schema: generators know the data of a message by it',
    ).toEqual([]);
  });

  it('lists rows whose type has a name', () => {
    for (const { name, operation } of operationsOf(narrow)) {
      if (!operation.operationId.startsWith('list')) continue;
      const schema = operation.responses['200']?.content?.['application/json']?.schema as { $ref: string };
      const page = narrow.components.schemas[schema.$ref.split('/').at(-1) as string] as {
        properties: Record<string, { type?: string; items?: object }>;
      };
      const rows = Object.entries(page.properties).filter(([, { type }]) => type === 'array');
      expect(rows.length, name).toBeGreaterThan(0);
      for (const [rowsName, { items = {} }] of rows) {
        expect(isReference(items), `${name} ${rowsName}: give the schema of a row a name, .meta({ id: "ItemSummary" })`).toBe(true);
      }
    }
  });
});

describe('a component', () => {
  it('has a name that is a good type', () => {
    const odd = Object.keys(whole.components.schemas).filter((name) => !/^([A-Z][a-z]+)+$/.test(name));
    expect(odd, 'name it in PascalCase, .meta({ id: "ItemResult" })').toEqual([]);
  });

  it('is text, a number or a switch, or null, in one schema', () => {
    const { Limiter, LimiterPatch } = whole.components.schemas as Record<string, { properties: Record<string, object> }>;
    expect(Limiter?.properties.heldUntil).toMatchObject({ type: ['string', 'null'], format: 'date-time' });
    expect(LimiterPatch?.properties.concurrency).toMatchObject({ type: ['integer', 'null'], minimum: 1 });
    expect(LimiterPatch?.properties.onRetryAfter).toHaveProperty('anyOf');
  });

  it('is told apart by one member where there are several messages', () => {
    for (const name of ['EventMessage', 'AnyEventMessage', 'RunMessage']) {
      const { oneOf, discriminator } = whole.components.schemas[name] as {
        oneOf: { $ref: string }[];
        discriminator: { propertyName: string; mapping: Record<string, string> };
      };
      const events = oneOf.map(({ $ref }) => {
        const branch = whole.components.schemas[$ref.split('/').at(-1) as string] as { properties: { event: { const: string } } };
        return [branch.properties.event.const, $ref];
      });
      expect(discriminator, name).toEqual({ propertyName: 'event', mapping: Object.fromEntries(events) });
    }
  });

  it('is there for each event that a stream can have', () => {
    const names = ['TaskEvent', 'PipelineEvent', 'StatusEvent', 'FeedEvent', 'ItemResult', 'Snapshot', 'GapEvent', 'ByeEvent'];
    expect(Object.keys(whole.components.schemas)).toEqual(expect.arrayContaining([...names, 'RunLine', 'RunMessage', 'FeedResultLine']));
    expect(Object.keys(narrow.components.schemas)).toEqual(expect.arrayContaining(names));
  });
});

describe('the document for generators', () => {
  it('has the operations of the whole one that can answer with JSON, with the same replies', () => {
    const known = new Map(operationsOf(whole).map(({ name, operation }) => [name, operation]));
    const left = operationsOf(narrow);
    for (const { name, operation } of left) {
      const before = known.get(name);
      if (before === undefined) throw new Error(`${name} is no operation of the whole document`);
      known.delete(name);
      expect(operation.operationId, name).toBe(before.operationId);
      expect(Object.keys(operation.responses), name).toEqual(Object.keys(before.responses));
      // What fits the one fits the other: bodies have the same schemas.
      for (const [status, { content = {} }] of Object.entries(operation.responses)) {
        for (const [type, { schema }] of Object.entries(content)) {
          const media = before.responses[status]?.content?.[type];
          expect(schema, `${name} ${status} ${type}`).toEqual(media?.['x-dataSchema'] ?? media?.schema);
        }
      }
    }
    for (const [name, { responses }] of known) {
      const types = Object.entries(responses).flatMap(([status, { content = {} }]) => (status < '300' ? Object.keys(content) : []));
      expect(types.includes('application/json') || types.includes('text/event-stream'), `${name} is left out`).toBe(false);
    }
    for (const [name, schema] of Object.entries(narrow.components.schemas)) expect(schema, name).toEqual(whole.components.schemas[name]);
  });

  it('leaves out operations that answer with something else', () => {
    const text = { 200: { description: 'Text.', content: { 'text/plain': { schema: { type: 'string' } } } } };
    const odd = {
      ...whole,
      paths: { '/text': { get: { responses: text } }, '/both': { get: { responses: text }, ...whole.paths['/tasks'] } },
    };
    expect(Object.keys(clientDocument(odd as never).paths)).toEqual(['/both']);
  });

  it('has one form for every body: JSON, but for the event streams', () => {
    for (const { name, operation } of operationsOf(narrow)) {
      if (operation.requestBody) expect(Object.keys(operation.requestBody.content), name).toEqual(['application/json']);
      const streams = /^GET .*\/events$/.test(name);
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const expected = Number(status) >= 400 ? 'application/problem+json' : streams ? 'text/event-stream' : 'application/json';
        expect(Object.keys(content ?? {}), `${name} ${status}`).toEqual(status === '204' ? [] : [expected]);
      }
    }
  });

  it('leaves out a body that can only be empty, and a parameter that asks for another form', () => {
    const byId = new Map(operationsOf(narrow).map(({ operation }) => [operation.operationId, operation]));
    expect(byId.get('pausePipeline')?.requestBody).toBeUndefined();
    expect(byId.get('joinPipeline')?.requestBody).toMatchObject({ required: false });
    expect(byId.get('feedItems')?.requestBody).toMatchObject({ required: true });
    const parameters = byId.get('listFeedResults')?.parameters?.map(({ name }) => name);
    expect(parameters).toEqual(expect.arrayContaining(['limit', 'cursor', 'status']));
    expect(parameters).not.toContain('follow');
  });

  it('has servers with an origin, and only components that something refers to', () => {
    expect(whole.servers.map(({ url }) => url)).toEqual(['/', 'http://127.0.0.1:3000']);
    expect(narrow.servers.map(({ url }) => url)).toEqual(['http://127.0.0.1:3000']);
    const text = JSON.stringify(narrow);
    for (const name of Object.keys(narrow.components.schemas)) expect(text, name).toContain(`"#/components/schemas/${name}"`);
    const referred = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name as string);
    expect(Object.keys(narrow.components.schemas)).toEqual(expect.arrayContaining([...new Set(referred)]));
  });

  it('needs no key, and is what the function makes of the whole one', () => {
    expect(narrow).toEqual(clientDocument(whole));
  });

  it('keeps what stands beside the name of a parameter’s type', () => {
    for (const document of [whole, narrow]) {
      const feed = operationsOf(document).find(({ operation }) => operation.operationId === 'feedItems')?.operation;
      expect(feed?.parameters).toContainEqual(
        expect.objectContaining({
          name: 'onDuplicate',
          schema: { $ref: '#/components/schemas/OnDuplicate' },
          description: expect.stringContaining('already knows'),
        }),
      );
    }
  });
});
