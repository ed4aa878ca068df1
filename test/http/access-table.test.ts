/** Walks the table of routes in docs/security.md: every route with every kind of key, over the wire. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Guarded, keysOf, type Reply, startGuarded } from './access-harness.ts';

/** By the columns of the table. */
const KEYS = [null, 'reader', 'feeder', 'operator', 'admin', 'here', 'there'] as const;

interface Row {
  route: string;
  cells: string[];
}

const rows: Row[] = [...readFileSync('docs/security.md', 'utf8').matchAll(/^\| `([A-Z]+ \/[^`]*)` \| (.+) \|$/gm)].map(
  ([, route, cells]) => ({
    route: String(route),
    cells: String(cells).split(' | '),
  }),
);

let service: Guarded;
beforeAll(async () => {
  service = await startGuarded(
    keysOf(
      'reader:read',
      'feeder:feed',
      'stranger:feed',
      'operator:operate',
      'admin:admin',
      'here:admin;pipelines=p+fresh',
      'there:admin;pipelines=q',
      'hand:work',
    ),
  );
  service.host.limiters.define('shared', { concurrency: 5 });
});
afterAll(() => service[Symbol.asyncDispose]());

const stages = [{ name: 'S', tasks: ['picky'] }];

/** As every case finds it: feeds of two keys, done, with an item that failed in each, and one that waits in a stage that is paused. */
async function prepare(): Promise<void> {
  for (const { definition } of await service.host.list()) await service.host.remove(definition.id, 'force');
  await service.host.create({ id: 'q', stages });
  await service.host.create({ id: 'p', stages: [{ name: 'S', tasks: [{ task: 'picky', limiter: 'shared' }] }] });
  const feed = async (key: string, feedId: string): Promise<void> => {
    const items = [{ id: `${feedId}-1` }, { id: `${feedId}-2`, value: 'bad' }];
    expect((await service.as(key, 'POST', '/pipelines/p/feed', { feedId, items })).status).toBe(202);
    await service.host.get('p').waitForFeed(feedId, {});
  };
  await feed('feeder', 'mine');
  await feed('stranger', 'theirs');
  await service.host.get('p').pauseStage('S');
  await service.as('admin', 'POST', '/pipelines/p/feed', { feedId: 'waiting', items: [{ id: 'queued' }] });
}

type Request = [path: string, body?: unknown];

/** A request of a route that is answered well, once {@link prepare} and `before` are done. */
function requestOf(route: string, feedId = 'mine'): Request {
  const path = (route.split(' ')[1] as string)
    .replace(':id', 'p')
    .replace(':stage', 'S')
    .replace(':feedId', feedId)
    .replace(':itemId', route.includes('retry') ? 'mine-2' : 'queued')
    .replace(':name', 'shared');
  switch (route) {
    case 'POST /pipelines':
      return [path, { id: 'fresh', stages }];
    case 'PUT /pipelines/:id':
      return [path, { stages }];
    case 'DELETE /pipelines/:id':
      return [`${path}?mode=force`];
    case 'POST /pipelines/:id/feed':
      return [path, { items: [1] }];
    case 'POST /pipelines/:id/run':
      return [`${path}?timeoutSeconds=0`, { items: [1] }];
    case 'POST /pipelines/:id/wait':
      return [path, { itemIds: [`${feedId}-1`] }];
    case 'POST /pipelines/:id/join':
      return [path, { timeoutSeconds: 0 }];
    case 'PATCH /pipelines/:id/stages/:stage':
      return [path, { workers: 2 }];
    case 'PATCH /limiters/:name':
      return [path, { concurrency: 6 }];
    default:
      return [path];
  }
}

/** The state that a route asks for. */
async function before(route: string): Promise<void> {
  const pipeline = service.host.get('p');
  if (route.endsWith('/:id/start')) await pipeline.shutdown('force');
  if (route.endsWith('/:id/resume')) await pipeline.pause();
}

async function ask(key: string | null, route: string, feedId?: string): Promise<Reply> {
  const [path, body] = requestOf(route, feedId);
  return service.as(key, route.split(' ')[0] as string, path, body);
}

/** All but what differs in any two answers. */
const shape = ({ status, body }: Reply, id: string): string => JSON.stringify([status, body]).replaceAll(id, '*');

describe('the table of routes', () => {
  it('has a row for every route that there is', () => {
    const listed = rows.map(({ route }) => route);
    const declared = service.app.routeAccess.map(({ method, url }) => `${method} ${url}`);
    const isHeadOfGet = (route: string): boolean => route.startsWith('HEAD ') && declared.includes(route.replace('HEAD', 'GET'));
    expect(listed.sort()).toEqual(declared.filter((route) => !isHeadOfGet(route)).sort());
    expect(rows.every(({ cells }) => cells.length === KEYS.length)).toBe(true);
  });

  describe.each(rows)('$route', ({ route, cells }) => {
    it.each(KEYS.map((key, i) => [key, cells[i] as string] as const))('with the key of %s is %s', async (key, cell) => {
      await prepare();
      await before(route);
      const reply = await ask(key, route);
      const told = JSON.stringify(reply.body);
      if (/^\d/.test(cell)) expect([reply.status, told]).toEqual([Number(cell), expect.stringContaining('"code"')]);
      else expect([Math.floor(reply.status / 100), told]).toEqual([2, told]);

      if (cell === '404') {
        // As if it had never been there.
        await service.host.remove('p', 'force');
        expect(await ask(key, route)).toMatchObject({ status: 404, body: reply.body });
      } else if (cell === '403') {
        expect(reply.body.code).toBe('forbidden');
      } else if (cell === 'own, else 404') {
        const theirs = await ask(key, route, 'theirs');
        const missing = await ask(key, route, 'missing');
        expect([theirs.status, theirs.body.code]).toEqual([404, expect.stringMatching(/^(feed|item)-not-found$/)]);
        expect(shape(theirs, 'theirs')).toBe(shape(missing, 'missing'));
      } else if (cell === 'own only') {
        expect(told).toContain('"mine"');
        expect(told).not.toMatch(/theirs|waiting/);
      } else if (cell === 'its own only') {
        expect(told).not.toContain(key === 'here' ? '"q"' : '"p"');
        if (key === 'there' && route === 'GET /limiters') expect(reply.body.limiters).toEqual([]);
      }
    });
  });

  it('is refused whole to a key for a hand, but for what any key may ask', async () => {
    await prepare();
    for (const { route, cells } of rows) {
      const { status } = await ask('hand', route);
      expect([route, status]).toEqual([route, cells[1] === 'yes' && cells[2] === 'yes' && cells[3] === 'yes' ? 200 : 403]);
    }
    expect(service.shutdowns.every(({ mode }) => mode === 'graceful')).toBe(true);
  });

  it.each([
    ['GET', '/nowhere', 404],
    ['PUT', '/tasks', 405],
    ['OPTIONS', '/pipelines', 405],
  ])('says of %s %s nothing without a key, and %i with any', async (method, path, status) => {
    expect((await service.as(null, method, path)).status).toBe(401);
    expect((await service.as('hand', method, path)).status).toBe(status);
  });
});

describe('a route that does not say which scope it is for', () => {
  it('cannot be made', async () => {
    const { buildApp } = await import('../../src/app.ts');
    const { host } = service;
    const app = await buildApp({ bodyLimitBytes: 1024, shutdownTimeoutSeconds: 1, sseHeartbeatSeconds: 15 }, { host });
    expect(() => app.get('/forgotten', async () => null)).toThrow('GET /forgotten does not say which scope it is for');
    await app.close();
  });
});
