/** A key for some pipelines: others are to it as if they were not there. */
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Guarded, keysOf, secretOf, startGuarded } from './access-harness.ts';
import { connect, type StreamClient } from './sse-harness.ts';

let service: Guarded;
beforeAll(async () => {
  service = await startGuarded(
    keysOf('a:read+feed+operate;pipelines=a', 'ab:read;pipelines=a+b+z', 'boss:admin;pipelines=a+new', 'all:admin', 'eyes:read'),
  );
  for (const name of ['mine', 'shared', 'theirs']) service.host.limiters.define(name, { concurrency: 5 });
  const stage = (...limiters: string[]) => [{ name: 'S', tasks: limiters.map((limiter) => ({ task: 'echo', limiter })) }];
  await service.host.create({ id: 'a', stages: stage('mine', 'shared') });
  await service.host.create({ id: 'b', stages: stage('shared', 'theirs') });
  await service.host.create({ id: 'c', stages: stage('theirs') });
});
afterAll(() => service[Symbol.asyncDispose]());

const bearerOf = (key: string) => ({ authorization: `Bearer ${secretOf(key)}` });
const idsOf = (rows: { id?: string; name?: string }[]): unknown[] => rows.map(({ id, name }) => id ?? name);

async function listOf(key: string, url: string, plural: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let at: string | null = url; at !== null; ) {
    const { body }: { body: Record<string, never> } = await service.as(key, 'GET', at);
    found.push(...idsOf(body[plural] as never));
    at = body.nextCursor === null ? null : `${url}&cursor=${body.nextCursor}`;
  }
  return found;
}

describe('a list', () => {
  it.each([
    ['all', ['a', 'b', 'c'], ['mine', 'shared', 'theirs']],
    ['ab', ['a', 'b'], ['mine', 'shared', 'theirs']],
    ['a', ['a'], ['mine', 'shared']],
    ['boss', ['a'], ['mine', 'shared']],
  ])('holds for the key of %s what is of its pipelines, page by page', async (key, pipelines, limiters) => {
    expect(await listOf(key, '/pipelines?limit=1', 'pipelines')).toEqual(pipelines);
    expect(await listOf(key, '/limiters?limit=1', 'limiters')).toEqual(limiters);
    expect((await service.as(key, 'GET', '/tasks')).body.tasks.length).toBeGreaterThan(3);
  });

  it('has of a limiter that others use as well no keys, which are made of their items', async () => {
    service.host.limiters.define('each', { concurrency: 5, key: 'value' });
    const stages = [{ name: 'S', tasks: [{ task: 'hold', limiter: 'each' }] }];
    for (const id of ['b', 'z']) await service.host.put(id, { stages });
    await service.host.get('b').feed(['customer of b'], {});
    await service.host.get('z').feed(['customer of z'], {});
    const keysSeen = async (key: string) =>
      (await service.as(key, 'GET', '/limiters')).body.limiters
        .filter(({ name }: { name: string }) => name === 'each')
        .flatMap(({ keys }: { keys: { key: string }[] }) => keys.map((row) => row.key))
        .sort();
    expect(await keysSeen('all')).toEqual(['customer of b', 'customer of z']);
    expect(await keysSeen('ab')).toEqual(['customer of b', 'customer of z']);
    await service.host.create({ id: 'y', stages });
    expect(await keysSeen('ab')).toEqual([]);
    expect((await service.as('ab', 'GET', '/limiters')).body.limiters).toContainEqual(expect.objectContaining({ name: 'each', inUse: 2 }));
    for (const id of ['y', 'z']) await service.host.remove(id, 'force');
  });
});

describe('a limiter of a definition', () => {
  const stages = (limiter?: string) => [{ name: 'S', tasks: [limiter === undefined ? 'hold' : { task: 'hold', limiter }] }];
  const put = (key: string, id: string, limits: object, limiter?: string) =>
    service.as(key, 'PUT', `/pipelines/${id}`, { limits, stages: stages(limiter) });
  const concurrencyOf = (name: string) => service.host.limiters.find(name)?.defined.concurrency;

  it('is changed by a key for some pipelines as long as nobody else uses it, and never where others do', async () => {
    expect((await put('boss', 'new', { own: { concurrency: 1 } }, 'own')).status).toBe(201);
    expect((await put('boss', 'new', { own: { concurrency: 2 } }, 'own')).status).toBe(200);
    await service.host.create({ id: 'x', stages: stages('own') });
    const refused = await put('boss', 'new', { own: { concurrency: 9 } }, 'own');
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(concurrencyOf('own')).toBe(2);
    // Alike is no change, and a change of something else of the pipeline is its own.
    expect((await put('boss', 'new', { own: { concurrency: 2 } })).status).toBe(200);
    expect((await put('all', 'new', { own: { concurrency: 3 } }, 'own')).status).toBe(200);
    expect(concurrencyOf('own')).toBe(3);
    for (const id of ['x', 'new']) await service.host.remove(id, 'force');
  });

  it('is neither taken from others, nor are these named', async () => {
    await put('boss', 'new', { own: { concurrency: 1 } });
    expect(idsOf((await service.as('boss', 'GET', '/limiters')).body.limiters)).toContain('own');
    await service.host.create({ id: 'x', limits: { other: { concurrency: 1 } }, stages: stages('own') });
    const answers = [
      await put('boss', 'new', {}),
      await service.as('boss', 'DELETE', '/pipelines/new?mode=force'),
      await put('boss', 'new', { own: { concurrency: 1 }, other: { concurrency: 2 } }),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [409, 'limiter-in-use'],
      [409, 'limiter-in-use'],
      [409, 'limiter-conflict'],
    ]);
    for (const { body } of answers) {
      expect(JSON.stringify(body)).toContain('other pipelines');
      expect(JSON.stringify(body)).not.toContain('"x"');
    }
    expect((await service.as('all', 'DELETE', '/pipelines/new')).body.detail).toContain('the pipeline "x"');
    for (const id of ['x', 'new']) await service.host.remove(id, 'force');
    expect(['own', 'other'].map((name) => service.host.limiters.find(name))).toEqual([undefined, undefined]);
  });

  it('shows to a key which of its own stages wait, and to one without `read` none', async () => {
    await service.host.create({ id: 'new', limits: { own: { concurrency: 1 } }, stages: stages('own') });
    await service.host.create({ id: 'x', stages: stages('own') });
    for (const id of ['new', 'x', 'new', 'x']) await service.host.get(id).feed([id], {});
    const waitersFor = async (key: string) =>
      (await service.as(key, 'GET', '/limiters')).body.limiters.find(({ name }: { name: string }) => name === 'own').waiters;
    const all = await waitersFor('all');
    expect(all).toEqual([{ pipelineId: 'x', stage: 'S', count: 1 }]);
    expect(await waitersFor('boss')).toEqual([]);
    for (const id of ['x', 'new']) await service.host.remove(id, 'force');
  });
});

describe('what belongs to no pipeline', () => {
  it.each(['/tasks', '/openapi.json'])('is the same for a key for some: %s', async (path) => {
    expect((await service.as('a', 'GET', path)).body).toEqual((await service.as('all', 'GET', path)).body);
  });
});

describe('what is about all', () => {
  it.each([
    ['boss', 'POST', '/shutdown', 403],
    ['a', 'PATCH', '/limiters/mine', 403],
    ['a', 'PATCH', '/limiters/theirs', 403],
    ['a', 'PATCH', '/limiters/none', 403],
    ['all', 'PATCH', '/limiters/mine', 200],
    ['a', 'DELETE', '/limiters/mine', 403],
    ['all', 'DELETE', '/limiters/mine', 200],
  ])('is for the key of %s to %s %s a %i', async (key, method, path, status) => {
    expect((await service.as(key, method, path, {})).status).toBe(status);
    expect(service.shutdowns).toEqual([]);
  });

  it('is told by readyz to who may look at all', async () => {
    const verbose = async (key: string | null) => (await service.as(key, 'GET', '/readyz?verbose')).body;
    expect(await verbose('eyes')).toMatchObject({ status: 'ok', store: { kind: 'memory' } });
    for (const key of [null, 'a', 'nobody']) expect(await verbose(key)).toEqual({ status: 'ok' });
  });
});

describe('a pipeline of others', () => {
  it('cannot be told from one that is not there, by any route', async () => {
    const routes = service.app.routeAccess.filter(({ url, scope }) => url.includes(':id') && scope !== 'public');
    expect(routes.length).toBeGreaterThan(25);
    for (const { method, url } of routes) {
      const ask = (id: string) => {
        const path = url.replace(':id', id).replace(/:\w+/g, 'x');
        const body = method === 'POST' || method === 'PUT' || method === 'PATCH' ? {} : undefined;
        return service.as('boss', method, path, body);
      };
      const [theirs, missing] = [await ask('c'), await ask('nothing')];
      expect([method, url, theirs.status]).toEqual([method, url, 404]);
      expect(JSON.stringify(theirs.body).replaceAll(/\bc\b/g, '*')).toBe(JSON.stringify(missing.body).replaceAll(/\bnothing\b/g, '*'));
    }
  });

  it.each(['HEAD', 'OPTIONS', 'PUT', 'PATCH'])(
    'cannot be told from one that is not there by %s, which its address may not take',
    async (method) => {
      for (const path of ['', '/stats', '/events', '/events/tickets', '/feeds/f', '/items/i']) {
        const ask = (id: string) =>
          service.app.inject({ method: method as 'HEAD', url: `/pipelines/${id}${path}`, headers: bearerOf('a') });
        const [theirs, missing] = [await ask('c'), await ask('nothing')];
        const shape = (text: string) => text.replaceAll(/\b(?:c|nothing)\b/g, '*');
        expect([path, theirs.statusCode, theirs.headers.allow, shape(theirs.body)]).toEqual([
          path,
          missing.statusCode,
          missing.headers.allow,
          shape(missing.body),
        ]);
        expect(theirs.statusCode).toBeGreaterThanOrEqual(400);
      }
    },
  );

  it('gives no ticket, and a ticket for all events shows what its key may see', async () => {
    expect(await service.as('a', 'POST', '/pipelines/c/events/tickets')).toMatchObject({
      status: 404,
      body: { code: 'pipeline-not-found' },
    });
    expect((await service.as('a', 'POST', '/pipelines/a/events/tickets')).status).toBe(201);
    const { body } = await service.as('a', 'POST', '/events/tickets');
    const { port } = service.app.server.address() as AddressInfo;
    const client = await connect(port, `/events?types=result&ticket=${body.ticket}&pipelineId=a,c`);
    for (const id of ['c', 'a']) await service.host.get(id).run([`by ticket, of ${id}`], {});
    await client.until(() => client.named('result').length > 0);
    expect(client.named('result')).toEqual([expect.objectContaining({ pipelineId: 'a' })]);
    client.destroy();
  });

  it('is not made: 403, whether or not there is one of that id', async () => {
    const stages = [{ name: 'S', tasks: ['echo'] }];
    const make = (id: unknown) => service.as('boss', 'POST', '/pipelines', { id, stages });
    const [theirs, free] = [await make('c'), await make('free')];
    expect(theirs).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(free.body).toEqual(theirs.body);
    for (const id of [undefined, null, 7, ['new'], { a: 1 }]) expect((await make(id)).status).toBe(403);
    expect((await service.as('boss', 'PUT', '/pipelines/free', { stages })).status).toBe(404);
    expect(idsOf((await service.as('all', 'GET', '/pipelines')).body.pipelines)).toEqual(['a', 'b', 'c']);
    expect((await make('new')).status).toBe(201);
    expect((await service.as('boss', 'DELETE', '/pipelines/new')).status).toBe(204);
  });

  it.each(['%63', 'c%2f..%2fa', 'a%2f..%2fc', 'A', 'a%20', 'a.', 'a%00'])('is not reached by another spelling of an id: %s', async (id) => {
    expect((await service.as('a', 'GET', `/pipelines/${id}`)).status).toBe(404);
  });
});

describe('GET /events', () => {
  const open = (key: string, query: string, headers: Record<string, string> = {}): Promise<StreamClient> => {
    const { port } = service.app.server.address() as AddressInfo;
    return connect(port, `/events?types=status,result,task,pipeline,feed${query}`, {
      headers: { authorization: `Bearer ${secretOf(key)}`, ...headers },
    });
  };
  const pipelinesIn = (client: StreamClient) => [
    ...new Set(client.events.flatMap(({ data }) => (data === '' || data === '{}' ? [] : [JSON.parse(data).pipelineId]))),
  ];

  it('holds its pipelines alone, live and resumed, with its snapshots', async () => {
    const everything = await open('all', '');
    const client = await open('a', '&snapshotSeconds=0.1');
    const narrowed = await open('ab', '&pipelineId=a,c');
    const none = await open('a', '&pipelineId=c&snapshotSeconds=0.1');
    for (const id of ['c', 'a', 'c', 'a']) await service.host.get(id).run([`of ${id}`], {});
    await service.host.get('c').pause();
    const results = (of: StreamClient) => of.named('result').length;
    await everything.until(() => results(everything) === 4);
    await client.until(() => results(client) === 2 && client.named('snapshot').length > 1);
    await narrowed.until(() => results(narrowed) === 2);
    await none.until(() => none.named('snapshot').length > 1);
    expect(pipelinesIn(everything)).toEqual(['c', 'a']);
    expect(pipelinesIn(client)).toEqual(['a']);
    expect(pipelinesIn(narrowed)).toEqual(['a']);
    expect(none.events.every(({ event }) => event === 'snapshot' || event === undefined)).toBe(true);
    const first = everything.events.find(({ id }) => id !== undefined)?.id as string;
    const again = await open('a', '', { 'last-event-id': first });
    await again.until(() => results(again) === 2);
    expect(pipelinesIn(again)).toEqual(['a']);
    for (const each of [everything, client, narrowed, none, again]) each.destroy();
  });
});

describe('GET /whoami', () => {
  it.each([
    ['a', ['read', 'feed', 'operate'], ['a']],
    ['boss', ['admin'], ['a', 'new']],
    ['eyes', ['read'], null],
  ])('tells the key of %s what it opens', async (name, scopes, pipelines) => {
    expect(await service.as(name, 'GET', '/whoami')).toMatchObject({ status: 200, body: { name, scopes, pipelines } });
  });
});

describe('an overview', () => {
  it('has the pipelines of the key alone, in the list and in the stream', async () => {
    const { body } = await service.as('a', 'GET', '/pipelines?include=overview');
    expect(body.pipelines).toMatchObject([{ id: 'a', overview: { queued: expect.any(Number) } }]);
    const { port } = service.app.server.address() as AddressInfo;
    const path = '/events?overviewSeconds=3600&statsSeconds=3600&statsFor=a,c&snapshotSeconds=3600&snapshotFor=c';
    const client = await connect(port, path, { headers: bearerOf('a') });
    await client.until(() => client.named('overview').length === 1 && client.named('stats').length === 1);
    expect(client.named('overview')).toMatchObject([{ pipelines: [{ id: 'a' }] }]);
    expect(client.named('stats')).toMatchObject([{ pipelineId: 'a' }]);
    expect(client.named('snapshot')).toEqual([]);
    client.destroy();
  });
});

describe('a check of a definition', () => {
  const stages = [{ name: 'S', tasks: ['echo'] }];
  it('is for the pipelines of the key, and others are not there', async () => {
    const check = (key: string, definition: object, query = '') => service.as(key, 'POST', `/pipelines/validate${query}`, definition);
    expect(await check('a', { id: 'a', stages })).toMatchObject({ status: 200, body: { valid: true } });
    expect(await check('a', { id: 'c', stages })).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await check('a', { stages }, '?against=c')).toMatchObject({ status: 404, body: { code: 'pipeline-not-found' } });
    expect(await check('a', { id: 'a', stages, limits: { theirs: { concurrency: 1 } } })).toMatchObject({
      status: 200,
      body: { valid: false, errors: [{ path: '/limits/theirs' }] },
    });
  });
});
