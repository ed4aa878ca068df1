import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, run, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('p', 'picky'));
  await run(service, 'p', [
    { id: 'a', value: 1 },
    { id: 'b', value: 'bad' },
    { id: 'c', value: 3 },
  ]);
});
afterEach(() => service[Symbol.asyncDispose]());

const ids = (rows: { id: string }[]): string[] => rows.map((row) => row.id);

describe('views', () => {
  it('shows statistics', async () => {
    expect((await get(service, '/pipelines/p/stats')).json()).toMatchObject({
      itemsProcessed: 2,
      itemsFailed: 1,
      itemsInFlight: 0,
      queueSizes: { Only: 0 },
      stageStats: { Only: { stageName: 'Only', completedItems: 2, failedItems: 1 } },
      statusCounts: { completed: 2, failed: 1 },
      latencySeconds: { p50: expect.any(Number) },
      bottleneck: null,
      asOf: expect.stringMatching(/^\w+-\d+$/),
    });
  });

  it('shows what is measured of a stage, and what holds up the rest', async () => {
    const stages = [
      { name: 'A', workers: 4, tasks: ['echo'], queueCapacity: 1 },
      { name: 'B', workers: 2, tasks: ['gated'], queueCapacity: 1 },
    ];
    await create(service, { id: 'q', stages });
    await feed(service, 'q', [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await service.held(2);
    const stats = async () => (await get(service, '/pipelines/q/stats')).json();
    // B holds its two before the last of A have got that far.
    await expect.poll(async () => (await stats()).stageStats.A.workers.blocked).toBe(4);
    const { stageStats, bottleneck, etaSeconds } = await stats();
    expect(bottleneck).toEqual({ stage: 'B', reason: 'workers', task: null, limiter: null, until: null, workersWaiting: 0, workers: 2 });
    expect(stageStats.A).toMatchObject({ workers: { running: 0, limited: 0, blocked: 4, idle: 0 } });
    expect(stageStats.B).toMatchObject({
      ratePerSecond: { in: expect.any(Number), out: 0 },
      waitSeconds: { p50: null, p90: null },
      runSeconds: { p50: null, p90: null },
      oldestItemAgeSeconds: expect.any(Number),
      workers: { running: 2, limited: 0, blocked: 0, idle: 0 },
    });
    // Nothing has ended: nobody knows.
    expect(etaSeconds).toBeNull();
  });

  it('shows workers, their states and metrics, errors and a snapshot', async () => {
    expect((await get(service, '/pipelines/p/workers')).json()).toEqual({ Only: ['Only-W0'] });
    expect((await get(service, '/pipelines/p/workers/states')).json()).toMatchObject({
      'Only-W0': { status: 'idle', currentItemId: null },
    });
    expect((await get(service, '/pipelines/p/workers/metrics')).json()).toMatchObject({ 'Only-W0': { itemsProcessed: 2, itemsFailed: 1 } });
    expect((await get(service, '/pipelines/p/errors')).json()).toMatchObject({
      totalFailed: 1,
      failedItems: [{ itemId: 'b', error: 'it is bad' }],
    });
    const snapshot = (await get(service, '/pipelines/p/snapshot')).json();
    expect(Object.keys(snapshot).sort()).toEqual(['asOf', 'errorSummary', 'pipelineStats', 'timestamp', 'workerMetrics', 'workerStates']);
  });

  it.each(['stats', 'workers', 'workers/states', 'workers/metrics', 'snapshot', 'errors', 'results', 'items', 'items/a'])(
    'knows no %s of an unknown pipeline, and takes no unknown parameter',
    async (path) => {
      expect((await get(service, `/pipelines/nope/${path}`)).json()).toMatchObject({ status: 404, code: 'pipeline-not-found' });
      expect((await get(service, `/pipelines/p/${path}?nope=1`)).json()).toMatchObject({ status: 400, code: 'invalid-input' });
    },
  );
});

describe('results', () => {
  it('lists the completed ones, others on request', async () => {
    const { results, nextCursor, retired } = (await get(service, '/pipelines/p/results')).json();
    expect(ids(results)).toEqual(['a', 'c']);
    expect([nextCursor, retired]).toEqual([null, 0]);
    expect(ids((await get(service, '/pipelines/p/results?status=failed')).json().results)).toEqual(['b']);
    expect(ids((await get(service, '/pipelines/p/results?status=all&after=1')).json().results)).toEqual(['b', 'c']);
  });

  it('pages with a cursor that belongs to its filters', async () => {
    const first = (await get(service, '/pipelines/p/results?status=all&limit=2')).json();
    expect(ids(first.results)).toEqual(['a', 'b']);
    const second = (await get(service, `/pipelines/p/results?status=all&limit=2&cursor=${first.nextCursor}`)).json();
    expect([ids(second.results), second.nextCursor]).toEqual([['c'], null]);
    expect((await get(service, `/pipelines/p/results?cursor=${first.nextCursor}`)).json().code).toBe('invalid-cursor');
    expect((await get(service, `/pipelines/p/items?cursor=${first.nextCursor}`)).json().code).toBe('invalid-cursor');
  });

  it('streams all of them as NDJSON when asked to', async () => {
    const lines = async (url: string): Promise<{ id: string }[]> => {
      const response = await service.app.inject({ method: 'GET', url, headers: { accept: 'application/x-ndjson' } });
      expect(response.headers['content-type']).toBe('application/x-ndjson');
      return response.body
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    };
    expect(ids(await lines('/pipelines/p/results?status=all'))).toEqual(['a', 'b', 'c']);
    expect(ids(await lines('/pipelines/p/results?status=all&limit=2'))).toEqual(['a', 'b']);
    expect(await lines('/pipelines/p/results?after=3')).toEqual([]);
    const many = await run(
      service,
      'p',
      Array.from({ length: 2500 }, (_, i) => ({ id: `n${i}`, value: i })),
    );
    expect(many.statusCode).toBe(200);
    expect(await lines('/pipelines/p/items')).toHaveLength(2503);
  });
});

describe('items', () => {
  it('filters by status, stage and feed', async () => {
    await feed(service, 'p', [{ id: 'd', value: 4 }], { feedId: 'f2' });
    expect(ids((await get(service, '/pipelines/p/items?status=failed')).json().items)).toEqual(['b']);
    expect(ids((await get(service, '/pipelines/p/items?status=failed,completed&stage=Only')).json().items)).toEqual(
      expect.arrayContaining(['a', 'b', 'c']),
    );
    expect(ids((await get(service, '/pipelines/p/items?feedId=f2')).json().items)).toEqual(['d']);
    expect((await get(service, '/pipelines/p/items?status=done')).json().errors[0].path).toBe('/status/0');
  });

  it('filters failed ones by type and status of their error, and so does retry', async () => {
    const { type } = (await get(service, '/pipelines/p/items/b')).json().error;
    expect(ids((await get(service, `/pipelines/p/items?errorType=${type}`)).json().items)).toEqual(['b']);
    expect((await get(service, '/pipelines/p/items?errorStatus=429')).json()).toMatchObject({ items: [], nextCursor: null });
    const retry = async (payload: object) => (await service.app.inject({ method: 'POST', url: '/pipelines/p/retry', payload })).json();
    expect(await retry({ errorStatus: 429 })).toEqual({ retried: 0 });
    for (const errorStatus of [99, 600, 404.5, '429']) {
      expect((await retry({ errorStatus })).errors[0].path).toBe('/errorStatus');
      if (errorStatus !== '429') expect((await get(service, `/pipelines/p/items?errorStatus=${errorStatus}`)).statusCode).toBe(400);
    }
  });

  it('shows one with its value and history', async () => {
    expect((await get(service, '/pipelines/p/items/a')).json()).toMatchObject({
      id: 'a',
      status: 'completed',
      value: 1,
      metadata: {},
      waitingFor: null,
      history: [{ status: 'queued' }, { status: 'in_progress' }, { status: 'completed', final: true }],
    });
    expect((await get(service, '/pipelines/p/items/nope')).json()).toMatchObject({ status: 404, code: 'item-not-found' });
  });

  it('runs a failed one again', async () => {
    expect((await post(service, '/pipelines/p/items/b/retry')).json().id).toBe('b');
    expect((await post(service, '/pipelines/p/items/b/retry?fromStage=Other')).json()).toMatchObject({ code: 'unknown-stage' });
    // Whatever the state of the item: it may be another one when the answer is read.
    expect((await post(service, '/pipelines/p/items/a/retry?fromStage=Other')).json()).toMatchObject({ code: 'unknown-stage' });
    expect((await post(service, '/pipelines/p/items/a/retry')).json()).toMatchObject({ code: 'item-final' });
  });

  it('runs all failed ones again that match', async () => {
    const nowhere = await post(service, '/pipelines/p/retry', { stage: 'Nowhere' });
    expect(nowhere.statusCode).toBe(422);
    expect(nowhere.json()).toMatchObject({ code: 'unknown-stage' });
    expect((await post(service, '/pipelines/p/retry', { errorType: 'Other' })).json()).toEqual({ retried: 0 });
    expect((await post(service, '/pipelines/p/retry')).json()).toEqual({ retried: 1 });
  });

  it('cancels one that is not final', async () => {
    await create(service, definition('h', 'hold'));
    await feed(service, 'h', [{ id: 'x' }]);
    const cancel = () => service.app.inject({ method: 'DELETE', url: '/pipelines/h/items/x' });
    expect((await cancel()).statusCode).toBe(200);
    expect((await cancel()).json()).toMatchObject({ status: 409, code: 'item-final' });
    expect((await get(service, '/pipelines/h/results?status=cancelled')).json().results[0].id).toBe('x');
  });
});

describe('tasks', () => {
  it('lists what definitions can name', async () => {
    const { tasks, nextCursor } = (await get(service, '/tasks')).json();
    expect(tasks[0]).toEqual({ name: 'echo', kind: 'task', description: 'the task echo', paramsSchema: null });
    expect(nextCursor).toBeNull();
  });
});
