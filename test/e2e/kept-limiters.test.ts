/** A service that is killed begins its limiters where it was, with the definitions, the changes and the counts that it had. */
import { expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { startServer } from './server.ts';

it('a service that is killed goes on with the limiters that it had', { timeout: 60_000 }, async () => {
  const cwd = folderWith({ 'pipelines/filed.yaml': 'limits:\n  filed: { limit: 5, perSeconds: 3600, key: value.of }\n' });
  const env = { STORE_URL: 'file:./sluice.db' };
  const definition = {
    limits: { api: { limit: 3, perSeconds: 3600, weight: 'value.n' }, '429': { concurrency: 1 } },
    stages: [{ name: 'S', workers: 9, tasks: [{ task: 'hash', limiter: ['api', 'filed'] }] }],
  };
  let server = await startServer(env, { cwd });
  const call = async (method: string, path: string, body: unknown) => {
    const reply = await fetch(`${server.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: reply.status, body: await reply.json() };
  };
  expect((await call('PUT', '/pipelines/p', definition)).status).toBe(201);
  const items = (...ids: string[]) => ({ items: ids.map((id, i) => ({ id, n: 1.5, of: `customer ${i}` })) });
  await server.post('/pipelines/p/run', items('a', 'b'));
  expect((await call('PATCH', '/limiters/429', { concurrency: 7 })).status).toBe(200);
  server.child.kill('SIGKILL');
  expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });

  server = await startServer(env, { cwd });
  await server.post('/pipelines/p/feed', items('c', 'd'));
  // It is accepted before it begins: this process is careful, and stores it once more. How long that takes is the machine's affair.
  let item = { status: 'queued', waitingFor: null };
  for (; item.waitingFor === null; item = (await server.get('/pipelines/p/items/d')).body)
    expect(item.status).toMatch(/^(queued|in_progress)$/);
  expect(item.waitingFor).toMatchObject({ reason: 'rate-limit', limiter: 'api' });
  const { limiters } = (await server.get('/limiters')).body;
  expect(limiters).toMatchObject([
    { name: '429', settings: { concurrency: 7 }, defined: { concurrency: 1 } },
    { name: 'api', usedInWindow: 3, waiting: 2, waiters: [{ pipelineId: 'p', stage: 'S', count: 2 }], nextAt: expect.any(String) },
    { name: 'filed', usedInWindow: 2, keys: [{ usedInWindow: 1 }, { usedInWindow: 1 }] },
  ]);
  expect(await call('PUT', '/pipelines/p', definition)).toMatchObject({ status: 200, body: { changes: [] } });
  await server.stop();
});
