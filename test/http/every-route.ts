import { expect } from 'vitest';
import type { Guarded } from './access-harness.ts';

const stages = [{ name: 'S', tasks: ['picky'] }];

/** Makes the state in which every route can be asked: feeds of two keys, done, with an item that failed in each, and one that waits in a stage that is paused. */
export async function prepare(service: Guarded): Promise<void> {
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

/** A request that a route answers with success, once {@link prepare} and `before` are done. */
export function requestOf(route: string, feedId = 'mine'): Request {
  const path = (route.split(' ')[1] as string)
    .replace(':id', 'p')
    .replace(':stage', 'S')
    .replace(':feedId', feedId)
    .replace(':itemId', route.includes('retry') ? 'mine-2' : 'queued')
    .replace(':name', 'shared')
    .replace(':file', 'page.js');
  switch (route) {
    case 'POST /pipelines':
      return [path, { id: 'fresh', stages }];
    case 'POST /pipelines/validate':
    case 'PUT /pipelines/:id':
      return [path, { id: 'p', stages }];
    case 'DELETE /pipelines/:id':
      return [`${path}?mode=force`];
    case 'POST /pipelines/:id/feed':
      return [path, { items: [1] }];
    case 'POST /pipelines/:id/run':
      return [`${path}?timeoutSeconds=0`, { items: [1] }];
    case 'POST /pipelines/:id/cancel':
      return [path, { all: true }];
    case 'POST /pipelines/:id/wait':
      return [path, { itemIds: [`${feedId}-1`] }];
    case 'POST /pipelines/:id/join':
      return [path, { timeoutSeconds: 0 }];
    case 'PATCH /pipelines/:id/stages/:stage':
      return [path, { workers: 2 }];
    case 'PATCH /limiters/:name':
      return [path, { concurrency: 6 }];
    case 'PUT /log-level':
      return [path, { level: 'debug' }];
    default:
      return [path];
  }
}

/** Brings the pipeline into the state that a route asks for. */
export async function before({ host }: Pick<Guarded, 'host'>, route: string): Promise<void> {
  const pipeline = host.get('p');
  if (route.endsWith('/:id/start')) await pipeline.shutdown('force');
  if (route.endsWith('/:id/resume')) await pipeline.pause();
}
