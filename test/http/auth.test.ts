import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiKey, parseApiKeys } from '../../src/schemas/api-key.ts';
import { type Service, startService } from './app-harness.ts';

const secret = (name: string): string => `slc_${name}_0123456789abcdef`;
const line = (name: string, scopes: string, fields = ''): string =>
  `${name}:${scopes}:${createHash('sha256').update(secret(name)).digest('hex')}${fields}`;
const keys: ApiKey[] = parseApiKeys(
  [
    line('ops', 'admin'),
    line('dash', 'read'),
    line('ci', 'feed'),
    line('both', 'read+feed'),
    line('one', 'read+feed', ';pipelines=a'),
    line('op', 'operate'),
    line('hand', 'work'),
    line('old', 'admin', ';expires=2020-01-01'),
  ].join(),
).keys;

let service: Service;
beforeAll(async () => {
  service = await startService({ apiKeys: keys });
  for (const id of ['a', 'b']) await service.host.create({ id, stages: [{ name: 'S', tasks: ['echo'] }] });
});
afterAll(() => service[Symbol.asyncDispose]());

async function status(key: string | null, method: 'GET' | 'POST' | 'DELETE', url: string): Promise<number> {
  const payload = method === 'POST' && /feed|run/.test(url) ? { payload: { items: ['x'] } } : {};
  const headers = key === null ? {} : { authorization: `Bearer ${key}` };
  return (await service.app.inject({ method, url, headers, ...payload })).statusCode;
}

describe('a request', () => {
  it.each([null, '', 'slc_ops_0123456789abcdeX', 'slc_nobody_0123456789abcdef', '0123456789abcdef', `${secret('ops')}x`])(
    'with the key %j is answered 401',
    async (key) => {
      const reply = await service.app.inject({ url: '/pipelines', headers: key === null ? {} : { authorization: `Bearer ${key}` } });
      expect(reply.statusCode).toBe(401);
      expect(reply.headers['www-authenticate']).toBe('Bearer realm="sluice"');
      expect(reply.json()).toMatchObject({ code: 'unauthenticated' });
      expect(await status(key, 'POST', '/shutdown')).toBe(401);
      expect(await status(key, 'GET', '/nowhere')).toBe(401);
      expect(service.shutdowns).toEqual([]);
    },
  );

  it.each([
    ['dash', 'GET', '/pipelines', 200],
    ['dash', 'GET', '/pipelines/a/stats', 200],
    ['dash', 'POST', '/pipelines/a/feed', 403],
    ['dash', 'POST', '/pipelines/a/pause', 403],
    ['ci', 'POST', '/pipelines/a/feed', 202],
    ['ci', 'POST', '/pipelines/a/run', 200],
    ['ci', 'GET', '/pipelines/a/stats', 403],
    ['both', 'GET', '/pipelines/a/stats', 200],
    ['both', 'DELETE', '/pipelines/a', 403],
    ['both', 'POST', '/shutdown', 403],
    ['ops', 'POST', '/pipelines/a/pause', 200],
    ['ops', 'POST', '/pipelines/a/resume', 200],
    ['ops', 'POST', '/pipelines/a/feed', 202],
    ['ops', 'GET', '/pipelines/a/stats', 200],
    ['one', 'POST', '/pipelines/a/feed', 202],
    ['ci', 'GET', '/events', 403],
    ['one', 'POST', '/pipelines/b/feed', 404],
    ['one', 'GET', '/pipelines', 200],
    ['op', 'POST', '/pipelines/a/pause', 200],
    ['op', 'POST', '/pipelines/a/resume', 200],
    ['op', 'DELETE', '/pipelines/a', 403],
    ['op', 'GET', '/pipelines/a/stats', 403],
    ['hand', 'GET', '/whoami', 200],
    ['hand', 'GET', '/pipelines', 403],
    ['old', 'GET', '/pipelines', 401],
  ] as const)('with the key of %s to %s %s is answered %i', async (name, method, url, expected) => {
    expect(await status(secret(name), method, url)).toBe(expected);
  });

  it.each(['/livez', '/readyz', '/openapi.json', '/openapi/client.json', '/docs/static/swagger-ui.css'])(
    'needs no key for %s',
    async (url) => {
      expect(await status(null, 'GET', url)).toBe(200);
    },
  );

  it('leaves no key in the log', () => {
    expect(JSON.stringify(service.logs)).not.toContain('0123456789abcdef');
  });
});
