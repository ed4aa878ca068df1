import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, get, type Service, startService } from './app-harness.ts';
import { connect } from './sse-harness.ts';

let service: Service;
let port: number;
beforeEach(async () => {
  service = await startService();
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  port = (service.app.server.address() as AddressInfo).port;
  await create(service, { id: 'p', stages: [{ name: 'A', tasks: ['picky'] }] });
});
afterEach(() => service[Symbol.asyncDispose]());

const feed = async (feedId: string, items: unknown[], more = '') => {
  const reply = await service.app.inject({ method: 'POST', url: `/pipelines/p/feed?feedId=${feedId}${more}`, payload: { items } });
  expect(reply.statusCode).toBe(202);
};

describe('event: feed', () => {
  it('is sent by default, with the counts of the feed and where its results are', async () => {
    const client = await connect(port, '/pipelines/p/events');
    await feed('f', [{ id: 'a', value: 1 }, { id: 'b', value: 'bad' }, { id: 'a' }]);
    await client.until(() => client.named('feed').length === 1);
    const view = (await get(service, '/pipelines/p/feeds/f')).json();
    const [data] = client.named('feed') as [Record<string, unknown>];
    expect(data).toEqual({
      ...{ pipelineId: 'p', feedId: 'f', createdAt: view.createdAt, total: 2, completed: 1, failed: 1, cancelled: 0, duplicates: 1 },
      ...{ uploadComplete: true, done: true, results: '/pipelines/p/feeds/f/results', timestamp: expect.stringMatching(/Z$/) },
    });
    expect((await get(service, data.results as string)).json().results).toHaveLength(2);
  });

  it('is sent alone with types=feed, of one feed with feedId=, and not with types that leave it out', async () => {
    const alone = await connect(port, '/pipelines/p/events?types=feed');
    const one = await connect(port, '/pipelines/p/events?feedId=g&types=feed,result');
    const others = await connect(port, '/pipelines/p/events?types=status,pipeline');
    await feed('f', [{ id: 'a' }]);
    await feed('g', [{ id: 'b' }]);
    await alone.until(() => alone.named('feed').length === 2);
    await one.until(() => one.named('feed').length === 1);
    await others.until(() => others.named('status').length === 6);
    const names = ({ events }: typeof alone) => events.flatMap(({ event, data }) => (data === '' ? [] : [event]));
    expect([names(alone), names(one)]).toEqual([
      ['feed', 'feed'],
      ['result', 'feed'],
    ]);
    expect(names(others)).not.toContain('feed');
  });

  it('is replayed under its id, and comes again when the feed is done again', async () => {
    const live = await connect(port, '/pipelines/p/events?types=feed');
    await feed('f', [{ id: 'a', value: 'bad' }]);
    await live.until(() => live.named('feed').length === 1);
    await service.app.inject({ method: 'POST', url: '/pipelines/p/items/a/retry' });
    await live.until(() => live.named('feed').length === 2);
    await feed('f', [{ id: 'b' }], '&append=true');
    await live.until(() => live.named('feed').length === 3);
    const told = live.events.filter(({ event }) => event === 'feed');
    const [first] = told;
    const replayed = await connect(port, `/pipelines/p/events?types=feed&after=${first?.id}`);
    await replayed.until(() => replayed.named('feed').length === 2);
    expect(replayed.events.filter(({ event }) => event === 'feed')).toEqual(told.slice(1));
    expect(live.named('feed').map((data) => (data as { total: number }).total)).toEqual([1, 1, 2]);
  });

  it('has the pipeline first in the stream of all pipelines', async () => {
    const all = await connect(port, '/events?types=feed');
    await feed('f', []);
    await all.until(() => all.named('feed').length === 1);
    expect(all.events.find(({ event }) => event === 'feed')?.data).toMatch(/^\{"pipelineId":"p","feedId":"f","createdAt":/);
  });
});

it('a definition whose onDone names no hook is a 422 with its place', async () => {
  const stages = [{ name: 'A', tasks: ['echo'] }];
  const refused = async (onDone: unknown) => {
    const reply = await service.app.inject({ method: 'POST', url: '/pipelines', payload: { id: 'q', stages, onDone } });
    return [reply.statusCode, reply.json().code, reply.json().errors];
  };
  expect(await refused('nobody')).toEqual([422, 'unknown-task', [{ path: '/onDone', message: 'no hook "nobody" is registered' }]]);
  expect(await refused({ task: 'echo' })).toEqual([
    422,
    'unknown-task',
    [{ path: '/onDone/task', message: 'no hook "echo" is registered' }],
  ]);
});
