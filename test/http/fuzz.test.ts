import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import type { HTTPMethods } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create, definition, run, type Service, startService } from './app-harness.ts';

/*
 * Every route of the OpenAPI document, asked for whatever comes to mind: no 5xx, every error a problem, every reply as the document says.
 */

interface Operation {
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}
interface Route {
  method: HTTPMethods;
  path: string;
  operation: Operation;
}

let service: Service;
let routes: Route[];
const validators = new Map<string, ValidateFunction>();
let ajv: Ajv2020;

beforeAll(async () => {
  service = await startService();
  service.host.limiters.define('api', { concurrency: 1 });
  const document = (await service.app.inject('/openapi.json')).json();
  ajv = new Ajv2020({ strict: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const all = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Route => ({ method: method.toUpperCase() as HTTPMethods, path, operation })),
  );
  // Streams of events have no end.
  routes = all.filter(({ path }) => !path.endsWith('/events'));
  expect(routes.length).toBeGreaterThan(35);
});
afterAll(() => service[Symbol.asyncDispose]());

function fits(route: Route, status: number, type: string, body: unknown): string | null {
  const media = route.operation.responses[String(status)]?.content?.[type];
  if (media === undefined) return `${status} ${type} is not documented`;
  const key = `${route.method} ${route.path} ${status} ${type}`;
  let validate = validators.get(key);
  if (validate === undefined) {
    validate = ajv.compile(JSON.parse(JSON.stringify(media.schema).replaceAll('"#/components/', '"openapi#/components/')));
    validators.set(key, validate);
  }
  return validate(body) ? null : ajv.errorsText(validate.errors);
}

/** Texts that are names, nearly names, or trouble. */
const text = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('p', 'q', 'Only', 'x', 'f', 'api', 'completed', 'all', 'force', 'drain', '1', '0.1', 'true') },
  { weight: 1, arbitrary: fc.constantFrom('', '__proto__', '\0', '\u2028', 'x'.repeat(600), '-1', '1e400', 'NaN', '%', '/', '\ud800') },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
);
const value = fc.oneof(
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0, 1, 2 ** 53, -0, 1e308, null, [], {}) },
  { weight: 1, arbitrary: text },
);
const fields = fc.constantFrom(
  ...[
    'items',
    'id',
    'stages',
    'mode',
    'timeoutSeconds',
    'itemIds',
    'returnWhen',
    'stage',
    'workers',
    'queueCapacity',
    'concurrency',
    'limit',
  ],
  ...['perSeconds', 'feedId', 'priority', 'targetStage', 'onDuplicate', 'errorType', 'start', 'nonsense'],
);
const nested = fc.integer({ min: 1, max: 3000 }).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`);
const plausible = fc.oneof(
  fc.constant({ items: [1, { id: 'x', value: 2 }] }),
  fc.constant(definition('q')),
  fc.constant({ itemIds: ['x'], returnWhen: 'FIRST_COMPLETED', timeoutSeconds: 0.01 }),
  fc.constant({ mode: 'graceful', timeoutSeconds: 0.01 }),
  fc.constant({ workers: 2 }),
  fc.constant({}),
);
const body = fc.oneof(
  { weight: 4, arbitrary: plausible.map((known) => JSON.stringify(known)) },
  { weight: 4, arbitrary: fc.dictionary(fields, value, { maxKeys: 4 }).map((made) => JSON.stringify(made)) },
  { weight: 1, arbitrary: nested },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.array(value, { maxLength: 5 }).map((rows) => rows.map((row) => JSON.stringify(row)).join('\n')) },
);
const type = fc.constantFrom(
  'application/json',
  'application/json',
  'application/x-ndjson',
  'text/plain',
  'application/json; charset=x',
  '',
);
const accept = fc.constantFrom(undefined, undefined, 'application/x-ndjson', 'text/event-stream', 'nonsense/*');

describe('any request', () => {
  it('is answered as the OpenAPI document says, never by a 5xx, and every error is a problem', async () => {
    const asked = new Set<string>();
    const answered = new Set<number>();
    await fc.assert(
      fc.asyncProperty(
        fc.nat().map((n) => routes[n % routes.length] as Route),
        fc.record({ texts: fc.array(text, { minLength: 6, maxLength: 6 }), body, type, accept, queries: fc.integer({ min: 0, max: 3 }) }),
        async (route, { texts, queries, ...request }) => {
          const { parameters = [], requestBody } = route.operation;
          let next = 0;
          const path = route.path.replace(/\{[^}]+\}/g, () => encode(texts[next++] as string));
          const query = parameters
            .filter((parameter) => parameter.in === 'query')
            .slice(0, queries)
            .map(({ name }) => `${name}=${encode(texts[next++ % texts.length] as string)}`)
            // What waits is told for how long.
            .concat(route.path.endsWith('/wait') && requestBody === undefined ? ['timeoutSeconds=0.01'] : []);
          await ensure();
          const reply = await service.app.inject({
            method: route.method,
            url: `${path}${query.length > 0 ? `?${query.join('&')}` : ''}`,
            headers: {
              ...(request.accept !== undefined && { accept: request.accept }),
              ...(requestBody !== undefined && request.type !== '' && { 'content-type': request.type }),
            },
            ...(requestBody !== undefined && { payload: Buffer.from(request.body) }),
          });
          asked.add(`${route.method} ${route.path}`);
          answered.add(reply.statusCode);
          expect(reply.statusCode).toBeLessThan(500);
          const [sent = ''] = String(reply.headers['content-type'] ?? '').split(';');
          if (reply.statusCode >= 400) {
            expect(sent).toBe('application/problem+json');
            expect(reply.json()).toMatchObject({ status: reply.statusCode, type: `urn:sluice:problem:${reply.json().code}` });
          }
          // An address can be made another one by what is put into it.
          if (reply.statusCode >= 400 && ['not-found', 'method-not-allowed'].includes(reply.json().code)) return;
          if (sent === 'application/json' || sent === 'application/problem+json') {
            expect(fits(route, reply.statusCode, sent, reply.json())).toBeNull();
          }
        },
      ),
      // The same requests in every run, so that a change is judged by what it changes; FUZZ_SEED and FUZZ_RUNS look further.
      { numRuns: Number(process.env.FUZZ_RUNS ?? 3000), seed: Number(process.env.FUZZ_SEED ?? 20_261_124) },
    );
    expect(asked.size).toBe(routes.length);
    expect([...answered]).toEqual(expect.arrayContaining([200, 400, 404]));
  }, 120_000);
});

const encode = (part: string): string => encodeURIComponent(part.toWellFormed() === part ? part : '\ufffd');

/** What there is to ask for: some of it may have been deleted. */
async function ensure(): Promise<void> {
  for (const id of ['p', 'q']) {
    const reply = await create(service, definition(id));
    if (reply.statusCode === 201) await run(service, id, [{ id: 'x' }]);
  }
}
