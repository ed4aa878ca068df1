import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { startServer } from './server.ts';

const ENV = { STORE_URL: 'file:./sluice.db', TASKS_DIR: './tasks' };
const stage = (task: unknown) => [{ name: 'S', tasks: [task] }];
/** Defined over the API; what one of them names will be gone. */
const PIPELINES = [
  {
    id: 'secretive',
    stages: [{ name: 'S', tasks: ['hash'], onSuccess: { task: 'log_success', with: { message: 'with {{ secrets.KEY }}' } } }],
  },
  { id: 'templated', stages: stage({ task: 'http_request', with: { url: 'http://127.0.0.1:9/{{ secrets.KEY }}' } }) },
  { id: 'own', stages: stage('mine') },
  { id: 'plain', stages: stage('hash') },
];

it('a pipeline that names a secret or a user task that is gone is stopped, says why everywhere, and can be removed; the others run', {
  timeout: 60_000,
}, async () => {
  const cwd = folderWith({ 'tasks/mine.mjs': 'export default { run: (value) => value };' });
  const first = await startServer({ ...ENV, SECRET_KEY: 'sesame-open' }, { cwd });
  for (const definition of PIPELINES) {
    expect((await first.post('/pipelines', definition)).status).toBe(201);
    await first.post(`/pipelines/${definition.id}/pause`);
    expect((await first.post(`/pipelines/${definition.id}/feed`, { items: [{ id: 'a', value: 1 }] })).status).toBe(202);
  }
  await first.stop();

  rmSync(join(cwd, 'tasks/mine.mjs'));
  const server = await startServer(ENV, { cwd });
  const { body: ready } = await server.get('/readyz?verbose');
  expect(ready.status).toBe('ok');
  const reasons = new Map<string, string>(
    ready.store.unusable.map(({ pipelineId, reason }: { pipelineId: string; reason: string }) => [pipelineId, reason]),
  );
  expect([...reasons.keys()].sort()).toEqual(['own', 'secretive', 'templated']);
  expect(reasons.get('own')).toContain('no task "mine" is registered');
  expect(reasons.get('secretive')).toContain('KEY');
  expect(reasons.get('templated')).toContain('KEY');
  for (const [id, reason] of reasons) {
    expect((await server.get(`/pipelines/${id}`)).body).toMatchObject({ state: 'stopped', stateReason: reason, itemsInFlight: 1 });
    expect(server.log.filter(({ pipeline, level }) => pipeline === id && level >= 50)).toMatchObject([{ reason }]);
    expect((await server.get(`/pipelines/${id}/items/a`)).body).toMatchObject({ status: 'queued' });
    const { status, body } = await server.post(`/pipelines/${id}/start`);
    expect([status, body.code]).toEqual([409, 'invalid-state']);
    expect(body.detail).toContain(reason);
  }
  await server.post('/pipelines/plain/resume');
  expect((await server.post('/pipelines/plain/wait', { itemIds: ['a'] })).body.done).toMatchObject([{ id: 'a', error: null }]);

  const store = (...args: string[]): [number | null, string] => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['src/store.ts', ...args], {
      env: { PATH: process.env.PATH, STORE_URL: `file:${join(cwd, 'sluice.db')}` },
      encoding: 'utf8',
    });
    return [status, stdout + stderr];
  };
  // The service has the file.
  expect(store('remove', 'own')).toEqual([78, expect.stringMatching(/in use/)]);
  server.signal('SIGTERM');
  await server.exited;
  expect(store('remove', 'nobody')).toEqual([78, expect.stringContaining('no pipeline "nobody"')]);
  expect(store('remove', 'own')).toEqual([0, expect.stringContaining('"own"')]);
  expect(store('check')).toEqual([0, expect.not.stringMatching(/own/)]);

  const last = await startServer({ ...ENV, SECRET_KEY: 'sesame-open' }, { cwd });
  expect((await last.get('/pipelines/own')).status).toBe(404);
  await last.post('/pipelines/secretive/resume');
  expect((await last.post('/pipelines/secretive/wait', { itemIds: ['a'] })).body.done).toMatchObject([{ id: 'a', error: null }]);
  await last.stop();
});
