/** Asks every route in every kind of trouble, and looks whether the OpenAPI document declares the status and the code of the answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Store, StoreTrouble } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { type Guarded, keysOf, type Reply, startGuarded } from './access-harness.ts';
import { prepare, requestOf } from './every-route.ts';

interface Operation {
  'x-scope'?: string;
  requestBody?: object;
  parameters?: { in: string; name: string }[];
  responses: Record<string, { content?: Record<string, { examples?: Record<string, unknown> }> }>;
}
interface Route {
  /** As Fastify writes it: `POST /pipelines/:id/feed`. */
  name: string;
  method: string;
  path: string;
  operation: Operation;
}

/** Those that end what the others ask about come last. */
const ENDS = ['join', 'shutdown', 'DELETE /pipelines/:id'];

const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
let service: Guarded;
let routes: Route[];
/** Why the store cannot be written, if it cannot. */
let fault: string | null = null;

beforeAll(async () => {
  const keys = keysOf('reader:read', 'feeder:feed', 'stranger:feed', 'admin:admin', 'there:admin;pipelines=q', 'hand:work');
  const store = await openSqliteStore({ file: join(folder, 'sluice.db'), inProcess: true });
  service = await startGuarded(keys, { store: failing(store), bodyLimitBytes: 2048 });
  service.host.limiters.define('shared', { concurrency: 5 });
  await prepare(service);
  const { paths } = (await service.as(null, 'GET', '/openapi.json')).body as { paths: Record<string, Record<string, Operation>> };
  routes = Object.entries(paths)
    .flatMap(([url, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        const path = url.replaceAll(/\{(\w+)\}/g, ':$1');
        return { name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path, operation };
      }),
    )
    .sort((a, b) => rank(a) - rank(b));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const rank = ({ name }: Route): number => ENDS.findIndex((end) => name.endsWith(end));

/** A store that cannot be written while there is a `fault`. */
function failing(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (name === 'write')
        return async (writes: never) => (fault === null ? target.write(writes) : Promise.reject(new StoreTrouble(fault)));
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The codes that the document gives for a status of a route. */
const declared = ({ operation }: Route, status: number): string[] =>
  Object.keys(operation.responses[status]?.content?.['application/problem+json']?.examples ?? {});

function expectDeclared(route: Route, { status, body }: Pick<Reply, 'status' | 'body'>): void {
  if (status >= 400) expect(declared(route, status), `${route.name} answers ${status}`).toContain(body.code);
}

/** Asks every route and returns the codes of the problems that were answered, by route; each of them has to be declared. */
async function askAll(ask: (route: Route) => Promise<Pick<Reply, 'status' | 'body'> | undefined>): Promise<Map<string, string>> {
  const codes = new Map<string, string>();
  for (const route of routes) {
    const reply = await ask(route);
    if (reply === undefined) continue;
    expectDeclared(route, reply);
    if (reply.status >= 400) codes.set(route.name, reply.body.code);
  }
  return codes;
}

const queryOf = ({ operation: { parameters = [] } }: Route): string[] =>
  parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
const namesOf = (fits: (route: Route) => boolean): string[] => routes.filter(fits).map(({ name }) => name);
const namesWith = (codes: Map<string, string>, code: string): string[] =>
  routes.map(({ name }) => name).filter((name) => codes.get(name) === code);
const declaring = (status: number, code: string): string[] => namesOf((route) => declared(route, status).includes(code));

describe('the OpenAPI document declares what every route answers', () => {
  it('without a key', async () => {
    const codes = await askAll(({ method, name }) => service.as(null, method, ...requestOf(name)));
    expect(namesWith(codes, 'unauthenticated')).toEqual(declaring(401, 'unauthenticated'));
    expect(codes.size).toBeGreaterThan(30);
  });

  it('to a key that opens nothing', async () => {
    const codes = await askAll(({ method, name }) => service.as('hand', method, ...requestOf(name)));
    expect(namesWith(codes, 'forbidden')).toEqual(declaring(403, 'forbidden'));
    expect(codes.size).toBeGreaterThan(30);
  });

  it('to a key for another pipeline', async () => {
    const codes = await askAll(({ method, name }) => service.as('there', method, ...requestOf(name)));
    expect(namesWith(codes, 'pipeline-not-found')).toEqual(namesOf(({ path }) => path.includes(':id')));
  });

  it('to a page of another origin', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    const codes = await askAll(async ({ method, name }) => {
      if (method === 'GET') return undefined;
      const [path, body] = requestOf(name);
      return service.as('admin', method, path, body, headers);
    });
    expect(namesWith(codes, 'cross-site-request')).toEqual(declaring(403, 'cross-site-request'));
  });

  it('to a request without a usable Host', async () => {
    const codes = await askAll(({ method, name }) => sendRaw(service, method, requestOf(name)[0], ['Host', 'a', 'Host', 'b']));
    expect(namesWith(codes, 'bad-request')).toEqual(routes.map(({ name }) => name));
  });

  it('to a name that the service does not go by, without keys', async () => {
    const open = await startGuarded([]);
    const codes = await askAll(({ method, name }) => sendRaw(open, method, requestOf(name)[0], ['Host', 'evil.example']));
    expect(namesWith(codes, 'misdirected-request')).toEqual(declaring(421, 'misdirected-request'));
    expect(codes.size).toBe(routes.length);
    await open[Symbol.asyncDispose]();
  });

  it('to a query that it does not know', async () => {
    const codes = await askAll(({ method, name }) => {
      const [path, body] = requestOf(name);
      return service.as('admin', method, `${path}${path.includes('?') ? '&' : '?'}nonsense=1`, body);
    });
    expect(namesWith(codes, 'invalid-input')).toEqual(routes.map(({ name }) => name));
  });

  it.each(['nothing', '0', '-1', ''])('to each of its query parameters with the value "%s", which names nothing', async (value) => {
    const names = new Set(routes.flatMap(queryOf));
    expect(names).toContain('against');
    for (const parameter of names) {
      await askAll(async (route) => {
        // What it ends would be missing from the requests after it.
        if (!queryOf(route).includes(parameter) || ENDS.some((end) => route.name.endsWith(end))) return undefined;
        const [address, body] = requestOf(route.name);
        const url = new URL(address, 'http://host');
        url.searchParams.set(parameter, value);
        return service.as('admin', route.method, `${url.pathname}${url.search}`, body);
      });
    }
  });

  it.each([
    ['malformed-json', '{', 'application/json'],
    ['body-too-large', JSON.stringify('x'.repeat(4096)), 'application/json'],
    ['unsupported-media-type', 'x', 'text/plain'],
  ])('to a body that is refused as %s', async (code, body, type) => {
    const codes = await askAll(({ method, name, operation }) =>
      operation.requestBody === undefined
        ? Promise.resolve(undefined)
        : service.as('admin', method, requestOf(name)[0], body, { 'content-type': type }),
    );
    expect(namesWith(codes, code)).toEqual(namesOf(({ operation }) => operation.requestBody !== undefined));
  });

  it.each([
    [':id', '/pipelines/p', '/pipelines/none', 'pipeline-not-found'],
    [':feedId', '/mine', '/none', 'feed-not-found'],
    [':itemId', /\/items\/[\w-]+/, '/items/none', 'item-not-found'],
    [':stage', '/stages/S', '/stages/None', 'unknown-stage'],
    [':name', '/shared', '/none', 'limiter-not-found'],
  ])('when nothing goes by the %s', async (parameter, known, unknown, code) => {
    const codes = await askAll(async ({ name, path, method }) => {
      // PUT makes the pipeline that is not there.
      if (!path.includes(parameter) || name === 'PUT /pipelines/:id') return undefined;
      const [address, body] = requestOf(name);
      return service.as('admin', method, address.replace(known, unknown), body);
    });
    expect(namesWith(codes, code)).toEqual(namesOf(({ name, path }) => path.includes(parameter) && name !== 'PUT /pipelines/:id'));
  });

  it('while the store cannot be written', async () => {
    fault = 'the disk is full';
    const codes = await askAll(async ({ method, name }) =>
      name === 'POST /shutdown' ? undefined : service.as('admin', method, ...requestOf(name)),
    );
    fault = null;
    // The list of nodes is in the log of a cluster, and this service is none: see cluster/gateway.test.ts.
    const own = declaring(503, 'store-unavailable').filter((name) => name !== 'GET /nodes');
    expect(namesWith(codes, 'store-unavailable')).toEqual(own);
  });

  it('while the service shuts down', async () => {
    await service.host.shutdown('force', 5);
    const codes = await askAll(({ method, name }) => service.as('admin', method, ...requestOf(name)));
    // All that change something, but for what ends work.
    const endsWork = [
      'POST /shutdown',
      'POST /pipelines/:id/cancel',
      'DELETE /pipelines/:id/items/:itemId',
      'DELETE /pipelines/:id/feeds/:feedId',
    ];
    const refused = namesOf(({ method, name }) => (method !== 'GET' && !endsWork.includes(name)) || name === 'GET /readyz');
    expect(namesWith(codes, 'shutting-down')).toEqual(refused);
    expect(refused).toEqual(expect.arrayContaining(['PATCH /limiters/:name', 'DELETE /pipelines/:id', 'POST /pipelines/:id/pause']));
  });
});

/** A request whose headers are as given, which `fetch` would not send. */
function sendRaw({ app }: Guarded, method: string, path: string, headers: string[]): Promise<Pick<Reply, 'status' | 'body'>> {
  const { port } = app.server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const sent = send({ host: '127.0.0.1', port, method, path, headers, setHost: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    sent.on('error', reject).end();
  });
}
