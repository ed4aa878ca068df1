import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, run, type Service, startService } from './app-harness.ts';
import { connect } from './sse-harness.ts';

let service: Service;
let port: number;
beforeEach(async () => {
  service = await startService();
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  port = (service.app.server.address() as AddressInfo).port;
  await create(service, definition('a'));
  await create(service, definition('b'));
});
afterEach(() => service[Symbol.asyncDispose]());

const ended = (events: { data: string }[]) =>
  events
    .map(({ data }) => JSON.parse(data || '{}'))
    .filter((data) => data.final)
    .map(({ pipelineId, itemId }) => `${pipelineId}/${itemId}`);

describe('GET /events', () => {
  it('has the events of all pipelines, and of those that come later', async () => {
    const client = await connect(port, '/events');
    await run(service, 'a', [{ id: 'x' }]);
    await run(service, 'b', [{ id: 'x' }]);
    await create(service, definition('c'));
    await run(service, 'c', [{ id: 'y' }]);
    await client.until(() => ended(client.events).length === 3);
    expect(ended(client.events)).toEqual(['a/x', 'b/x', 'c/y']);
    expect(client.events.filter(({ data }) => data !== '').every(({ data }) => data.startsWith('{"pipelineId":"'))).toBe(true);
  });

  it('is resumed at any event, without a gap and without one twice', async () => {
    const whole = await connect(port, '/events?types=status,result,task,pipeline,feed');
    for (const id of ['1', '2', '3']) for (const pipeline of ['a', 'b']) await run(service, pipeline, [{ id }]);
    await whole.until(() => ended(whole.events).length === 6);
    const ids = whole.events.flatMap(({ id, data }) => (id === undefined || data === '' ? [] : [id]));
    expect(ids.length).toBeGreaterThan(30);
    for (const [i, id] of ids.slice(0, -1).entries()) {
      const other = await connect(port, '/events?types=status,result,task,pipeline,feed', { headers: { 'last-event-id': id } });
      const rest = () => other.events.flatMap((event) => (event.id === undefined || event.data === '' ? [] : [event.id]));
      await other.until(() => rest().length === ids.length - i - 1);
      expect(rest()).toEqual(ids.slice(i + 1));
      other.destroy();
    }
  });

  it('can be narrowed, to pipelines too', async () => {
    const client = await connect(port, '/events?pipelineId=b&status=completed');
    await run(service, 'a', [{ id: 'x' }]);
    await run(service, 'b', [{ id: 'y' }]);
    await client.until(() => ended(client.events).length === 1);
    expect(ended(client.events)).toEqual(['b/y']);
  });

  it('adds the statistics of each pipeline, which are short, at once', async () => {
    await run(service, 'a', [{ id: 'x' }]);
    const client = await connect(port, '/events?statsSeconds=3600');
    await client.until(() => client.named('stats').length === 2);
    expect(client.named('stats')).toMatchObject([
      {
        pipelineId: 'a',
        state: 'running',
        itemsProcessed: 1,
        itemsInFlight: 0,
        bottleneck: null,
        stages: { Only: { completedItems: 1, workers: { idle: 1 } } },
      },
      { pipelineId: 'b', state: 'running', itemsProcessed: 0 },
    ]);
    for (const { event, data, id } of client.events) {
      if (event !== 'stats') continue;
      expect(id).toBeUndefined();
      expect(data.length).toBeLessThan(800);
    }
  });

  it('adds them to the stream of one pipeline', async () => {
    const client = await connect(port, '/pipelines/b/events?statsSeconds=0.1');
    await client.until(() => client.named('stats').length >= 1);
    await feed(service, 'b', ['x']);
    await client.until(() => (client.named('stats').at(-1) as { itemsProcessed: number }).itemsProcessed === 1);
    expect(client.named('stats')[0]).not.toHaveProperty('pipelineId');
  });

  it('adds a snapshot of each pipeline', async () => {
    const client = await connect(port, '/events?snapshotSeconds=0.1');
    await client.until(() => client.named('snapshot').length >= 2);
    expect(client.named('snapshot').slice(0, 2)).toMatchObject([
      { pipelineId: 'a', pipelineStats: {} },
      { pipelineId: 'b', pipelineStats: {} },
    ]);
  });

  it('carries the overview of all pipelines and the details of some', async () => {
    await run(service, 'a', [{ id: 'x' }]);
    const client = await connect(port, '/events?overviewSeconds=0.1&statsSeconds=0.1&statsFor=b,gone&snapshotSeconds=3600&snapshotFor=a');
    await client.until(
      () => client.named('overview').length >= 2 && client.named('stats').length >= 2 && client.named('snapshot').length === 1,
    );
    const [first] = client.named('overview');
    expect(first).toMatchObject({
      pipelines: [
        {
          id: 'a',
          state: 'running',
          itemsProcessed: 1,
          itemsFailed: 0,
          itemsInFlight: 0,
          overview: { queued: 0, running: 0, etaSeconds: 0 },
        },
        { id: 'b', state: 'running', itemsProcessed: 0 },
      ],
      asOf: expect.stringMatching(/^[^-]+-\d+$/),
    });
    expect(new Set(client.named('stats').map((data) => (data as { pipelineId: string }).pipelineId))).toEqual(new Set(['b']));
    expect(client.named('snapshot')).toMatchObject([{ pipelineId: 'a' }]);
    expect(client.events.filter(({ event, id }) => event === 'overview' && id !== undefined)).toEqual([]);
    await create(service, definition('c'));
    await client.until(() => (client.named('overview').at(-1) as { pipelines: unknown[] }).pipelines.length === 3);
  });

  it.each(['statsFor=a', 'snapshotFor=a', 'overviewSeconds=0', 'statsFor=a/b&statsSeconds=1'])('refuses %s', async (query) => {
    expect((await get(service, `/events?${query}`)).json().code).toBe('invalid-input');
  });

  it('goes on when a pipeline is removed, and ends with a bye', async () => {
    const client = await connect(port, '/events?types=status,pipeline');
    await feed(service, 'a', [{ id: 'x' }]);
    await service.app.inject({ method: 'DELETE', url: '/pipelines/a?mode=drain' });
    await run(service, 'b', [{ id: 'y' }]);
    await client.until(() => ended(client.events).length === 2);
    expect(ended(client.events)).toEqual(['a/x', 'b/y']);
    const closing = service.app.close();
    await client.until(() => client.named('bye').length === 1);
    await closing;
  });

  it('refuses ids of a pipeline’s own stream by a gap, and what is no id', async () => {
    await run(service, 'a', [{ id: 'x' }]);
    const { asOf } = (await get(service, '/pipelines/a/stats')).json();
    const client = await connect(port, `/events?after=${asOf}`);
    await client.until(() => client.named('gap').length === 1);
    expect(client.named('gap')).toMatchObject([{ missed: null }]);
    const [epoch] = (client.named('gap') as [{ oldest: string }]).map(({ oldest }) => oldest.slice(0, oldest.lastIndexOf('-')));
    const ahead = await connect(port, `/events?after=${epoch}-4711`);
    await ahead.until(() => ahead.named('gap').length === 1);
    expect(ahead.named('gap')).toMatchObject([{ missed: null }]);
    for (const after of ['x', 'h-12x', '-1']) {
      expect((await get(service, `/events?after=${after}`)).json().code).toBe('invalid-event-id');
    }
    expect((await get(service, '/events?pipelineId=a%2Fb')).statusCode).toBe(400);
  });
});
