/** Walks the table of routes in docs/security.md: every route with every kind of key, over the wire. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Guarded, keysOf, type Reply, startGuarded } from './access-harness.ts';
import { before, prepare, requestOf } from './every-route.ts';

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
      await prepare(service);
      await before(service, route);
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

  it('is refused whole to a key for a hand, but for what any key may ask, and the connection of hands', async () => {
    await prepare(service);
    for (const { route, cells } of rows) {
      const { status } = await ask('hand', route);
      const isForAny = cells[1] === 'yes' && cells[2] === 'yes' && cells[3] === 'yes';
      expect([route, status]).toEqual([route, route === 'GET /hands/connect' ? 426 : isForAny ? 200 : 403]);
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

describe('a route that declares no scope', () => {
  it('cannot be made', async () => {
    const { buildApp } = await import('../../src/app.ts');
    const { host } = service;
    const app = await buildApp(
      { bodyLimitBytes: 1024, uploadIdleSeconds: 15, shutdownTimeoutSeconds: 1, sseHeartbeatSeconds: 15 },
      { host },
    );
    expect(() => app.get('/forgotten', async () => null)).toThrow('GET /forgotten declares no scope');
    await app.close();
  });
});
