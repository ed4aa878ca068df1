import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { startInVain, startServer } from './server.ts';

const pipeline = (id: string, workers: number): object => ({ id, stages: [{ name: 'S', workers, tasks: [{ task: 'hash' }] }] });

it('a start with more workers than there may be says so and ends with 78, and goes on when there is room', async () => {
  const environment = { STORE_URL: `file:${join(folderWith(), 'sluice.db')}`, PIPELINES: folderWith() };
  const first = await startServer(environment);
  await first.post('/pipelines', pipeline('a', 30));
  await first.post('/pipelines', pipeline('b', 30));
  expect((await first.call('PATCH', '/pipelines/b/stages/S', { workers: 50 })).status).toBe(200);
  await first.stop();

  const { code, message } = await startInVain({ ...environment, MAX_WORKERS: '79' });
  expect(code).toBe(78);
  expect(message).toContain(
    'the pipelines of the store have 80 workers, more than MAX_WORKERS allows (79), most of them "b" (50), "a" (30)',
  );

  const again = await startServer({ ...environment, MAX_WORKERS: '80' });
  expect((await again.get('/pipelines/b/workers')).body.S).toHaveLength(50);
  await again.stop();
});
