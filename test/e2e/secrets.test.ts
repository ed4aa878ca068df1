import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { startInVain, startServer } from './server.ts';

const SECRET = 'hunter22/&"x';
/** Of its base64, behind `me:`. */
const CORE = Buffer.from(SECRET).toString('base64').slice(0, 14);

it('a secret reaches the server that it is for, and is nowhere to be seen', async () => {
  const keys: (string | undefined)[] = [];
  const upstream = createServer((request, response) => {
    keys.push(request.headers.authorization);
    const encoded = Buffer.from(`me:${request.headers.authorization}`).toString('base64');
    response.writeHead(Number(request.url?.slice(1, 4))).end(`you sent ${request.headers.authorization}, ${encoded}`);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/{{ value }}?key={{ $encodeUrlComponent(secrets.KEY) }}`;
  const task = { task: 'http_request', with: { url, headers: { authorization: '{{ secrets.KEY }}' } } };
  const hook = { task: 'log_failure', with: { message: 'failed with {{ secrets.KEY }}' } };
  const definition = { id: 'p', stages: [{ name: 'S', tasks: [task], taskAttempts: 1, onFailure: hook }] };
  const server = await startServer({
    PIPELINES: folderWith({ 'p.json': JSON.stringify(definition) }),
    SECRET_KEY: SECRET,
    HTTP_ALLOW_HOSTS: '127.0.0.1',
    LOG_LEVEL: 'debug',
  });
  const { status } = await server.post('/pipelines/p/run', { items: ['200', '404'] });
  expect(status).toBe(200);
  expect(keys).toEqual([SECRET, SECRET]);

  const shown: string[] = [JSON.stringify(server.log), server.stderr];
  for (const path of [
    '/pipelines/p',
    '/pipelines/p/errors',
    '/pipelines/p/errors/groups',
    '/pipelines/p/snapshot',
    '/pipelines/p/items',
    '/pipelines/p/items?order=desc&q=sent',
    '/pipelines/p/results?status=failed&preview=1000',
    '/pipelines/p/audit',
    '/pipelines/p/history',
    '/pipelines',
    '/openapi.json',
    '/tasks',
  ]) {
    const { status: code, body } = await server.get(path);
    expect(code, path).toBe(200);
    shown.push(JSON.stringify(body));
  }
  for (const text of shown)
    for (const form of [SECRET, JSON.stringify(SECRET).slice(1, -1), encodeURIComponent(SECRET), CORE]) expect(text).not.toContain(form);
  expect(JSON.stringify(server.log)).toContain('failed with [secret KEY]');
  expect(JSON.stringify((await server.get('/pipelines/p/errors')).body)).toContain('you sent [secret KEY], bWU6[secret KEY]');
  // A group is found by its masked message, which is folded as it is.
  const { groups } = (await server.get('/pipelines/p/errors/groups')).body;
  expect(groups).toMatchObject([{ count: 1, sample: expect.stringContaining('you sent [secret KEY], bWU6[secret KEY]') }]);
  const [{ group }] = groups as [{ group: string }];
  expect((await server.post('/pipelines/p/retry', { group, dryRun: true })).body).toMatchObject({ retried: 1 });
  const { items } = (await server.get(`/pipelines/p/items?group=${group}`)).body;
  expect(items).toMatchObject([{ status: 'failed' }]);
  // What a server sends back stands in the value; the address that it was asked at does not.
  const { results } = (await server.get('/pipelines/p/results')).body;
  expect(results[0].value.url).toContain('?key=[secret KEY]');
  await server.stop();
  upstream.close();
});

it('a start that fails tells none of what a task file throws', async () => {
  const TASKS_DIR = folderWith({ 'bad.mjs': "throw new Error('no connection with ' + process.env.SECRET_KEY);" });
  const { code, message } = await startInVain({ TASKS_DIR, SECRET_KEY: SECRET });
  expect(code).toBe(78);
  expect(message).toContain('no connection with [secret KEY]');
  expect(message).not.toContain('hunter22');
});

it.each([
  ['HOST', 'hunter22-of-the-host'],
  ['PORT', 'hunter22-of-the-port'],
  ['LOG_LEVEL', 'hunter22-of-the-log'],
  ['ALLOWED_HOSTS', 'https://hunter22.example/'],
  ['HTTP_ALLOW_HOSTS', '!hunter22'],
])('a start that fails for a secret in %s does not show it', async (variable, secret) => {
  const { code, message } = await startInVain({ [variable]: secret, SECRET_KEY: secret, SECRET_SHORT: 'o', SECRET_EMPTY: '' });
  expect(code).toBe(78);
  expect(message).toContain(variable);
  expect(message).toContain('[secret KEY]');
  expect(message).not.toContain('hunter22');
  expect(message).toContain('SECRET_SHORT is shorter than 4 characters');
});
