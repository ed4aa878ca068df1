import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PipelineEvent } from '../../src/schemas/item.ts';
import { type Guarded, keysOf, startGuarded } from './access-harness.ts';
import { before, prepare, requestOf } from './every-route.ts';

/** Routes of such a method that are not an operator's: they bring work, wait for it, or only look. */
const OTHERS = /^POST .*\/(feed|run|wait|tickets|validate)$/;

let service: Guarded;
beforeEach(async () => {
  service = await startGuarded(keysOf('admin:admin', 'night:operate', 'feeder:feed', 'stranger:feed', 'poor:read'));
  service.host.limiters.define('shared', { concurrency: 5 });
});
afterEach(() => service[Symbol.asyncDispose]());

const audits = () => service.logs.filter(({ audit }) => audit === true);
const pipelineEvents = (id = 'p'): PipelineEvent[] =>
  service.host
    .get(id)
    .events.read(0, Number.MAX_SAFE_INTEGER, { types: new Set(['pipeline']) })
    .events.map(({ data }) => data as PipelineEvent);

describe('an operator’s action', () => {
  it('is one line with who did it, on every route that changes something, and an event where it concerns a pipeline', async () => {
    const routes = service.app.routeAccess.filter(
      ({ method, url }) => /^(POST|PUT|PATCH|DELETE)$/.test(method) && !OTHERS.test(`${method} ${url}`),
    );
    expect(routes.length).toBeGreaterThan(17);
    for (const { method, url } of routes) {
      const route = `${method} ${url}`;
      await prepare(service);
      await before(service, route);
      // It is paused already, and then nothing would change.
      if (url.endsWith('/:stage/pause')) await service.host.get('p').resumeStage('S');
      service.logs.length = 0;
      const [path, body] = requestOf(route);
      const { events } = service.host.get('p');
      const after = events.newest;
      const { status, headers } = await service.as('admin', method, path, body);
      expect(status, route).toBeLessThan(300);
      expect(audits(), route).toMatchObject([
        { level: 30, msg: 'audit', by: 'admin', change: expect.any(String), reqId: headers.get('x-request-id') },
      ]);
      const [line] = audits() as [Record<string, unknown>];
      expect(
        [line.before, line.after, line.pipeline].every((part) => part !== undefined),
        route,
      ).toBe(true);
      const log = line.pipeline === 'fresh' ? service.host.get('fresh').events : events;
      const read = log.read(log === events ? after : 0, 1000, { types: new Set(['pipeline']) }).events;
      const named = read.map(({ data }) => data as PipelineEvent).filter(({ by }) => by !== undefined);
      if (route === 'POST /shutdown' || route === 'PUT /log-level') expect(named, route).toEqual([]);
      else expect(named, route).toMatchObject([{ change: line.change, by: 'admin', before: line.before, after: line.after }]);
      if (line.pipeline === 'fresh') await service.host.remove('fresh', 'force');
    }
  });

  it('says what it was before and after', async () => {
    await prepare(service);
    const from = pipelineEvents().length;
    await service.as('night', 'PATCH', '/pipelines/p/stages/S', { workers: 4, taskRateLimits: { picky: { limit: 5, perSeconds: 1 } } });
    await service.as('night', 'DELETE', '/pipelines/p/stages/S');
    await service.as('night', 'POST', '/pipelines/p/pause');
    await service.as('night', 'POST', '/pipelines/p/stages/S/resume');
    await service.as('night', 'POST', '/pipelines/p/items/mine-2/retry');
    await service.as('night', 'DELETE', '/pipelines/p/items/queued');
    await service.as('night', 'POST', '/pipelines/p/retry', { errorType: 'PermanentError' });
    await service.as('night', 'PATCH', '/limiters/shared', { concurrency: 9 });
    await service.as('admin', 'PUT', '/pipelines/p', {
      description: 'two',
      stages: [
        { name: 'S', workers: 3, tasks: [{ task: 'picky', with: { password: 'hunter2' } }, 'echo'] },
        { name: 'T', tasks: ['echo'] },
      ],
    });
    const defined = { workers: 1, taskConcurrencyLimits: {}, taskRateLimits: {}, queueCapacity: 100 };
    const tuned = { ...defined, workers: 4, taskRateLimits: { picky: { limit: 5, perSeconds: 1 } } };
    const told = pipelineEvents().slice(from);
    expect(told.map(({ change, by, stage, before: was, after: is }) => [change, by, stage, was, is])).toEqual([
      ['tuned', 'night', 'S', defined, tuned],
      ['tuned', 'night', 'S', tuned, defined],
      ['paused', 'night', null, { state: 'running' }, { state: 'paused' }],
      ['stage-resumed', 'night', 'S', { paused: true }, { paused: false }],
      [
        'item-retried',
        'night',
        'S',
        { itemId: 'mine-2', status: 'failed', stage: 'S' },
        { itemId: 'mine-2', status: 'queued', stage: 'S' },
      ],
      [
        'item-cancelled',
        'night',
        'S',
        { itemId: 'queued', status: 'queued', stage: 'S' },
        { itemId: 'queued', status: 'cancelled', stage: 'S' },
      ],
      ['items-retried', 'night', null, { errorType: 'PermanentError', failed: 1 }, { errorType: 'PermanentError', failed: 0, retried: 1 }],
      [
        'limiter-changed',
        'night',
        null,
        { limiter: 'shared', concurrency: 5, maxHoldSeconds: 300, onRetryAfter: 'hold', heldUntil: null },
        { limiter: 'shared', concurrency: 9, maxHoldSeconds: 300, onRetryAfter: 'hold', heldUntil: null },
      ],
      [
        'redefined',
        'admin',
        null,
        { description: null, stages: ['S'], changedStages: { S: { workers: 1, tasks: ['picky'] } } },
        { description: 'two', stages: ['S', 'T'], changedStages: { S: { workers: 3, tasks: ['picky', 'echo'] } } },
      ],
    ]);
    expect(JSON.stringify([told, service.logs])).not.toContain('hunter2');
    expect(
      audits()
        .slice(-told.length)
        .map(({ change, before: was, after: is }) => [change, was, is]),
    ).toEqual(told.map(({ change, before: was, after: is }) => [change, was, is]));
  });

  it('that changes nothing is a line, but no event', async () => {
    await prepare(service);
    const from = pipelineEvents().length;
    service.logs.length = 0;
    await service.as('night', 'POST', '/pipelines/p/resume');
    await service.as('night', 'POST', '/pipelines/p/stages/S/pause');
    await service.as('admin', 'PUT', '/pipelines/q', { stages: [{ name: 'S', tasks: ['picky'] }] });
    expect(pipelineEvents()).toHaveLength(from);
    expect(audits().map(({ change, by, before: was, after: is }) => [change, by, was, is])).toEqual([
      ['resumed', 'night', { state: 'running' }, { state: 'running' }],
      ['stage-paused', 'night', { paused: true }, { paused: true }],
      ['redefined', 'admin', {}, {}],
    ]);
  });

  it('that is refused is a refusal, and no action', async () => {
    await prepare(service);
    service.logs.length = 0;
    const from = pipelineEvents().length;
    expect((await service.as('poor', 'POST', '/pipelines/p/pause')).status).toBe(403);
    expect((await service.as('night', 'POST', '/pipelines/p/start')).status).toBe(409);
    expect((await service.as('night', 'POST', '/pipelines/p/items/nope/retry')).status).toBe(404);
    expect((await service.as('night', 'PATCH', '/pipelines/p/stages/S', { workers: 0 })).status).toBe(400);
    expect(audits()).toEqual([]);
    expect(pipelineEvents()).toHaveLength(from);
    expect(service.logs.filter(({ msg }) => msg === 'refused')).toHaveLength(4);
  });

  it('of a definition that is large is told of in few words', async () => {
    const stages = Array.from({ length: 64 }, (_, i) => ({ name: `stage ${i} ${'n'.repeat(100)}`, tasks: ['echo', 'echo', 'echo'] }));
    await service.as('admin', 'POST', '/pipelines', { id: 'large', stages });
    expect(pipelineEvents('large')[0]).toMatchObject({
      change: 'created',
      by: 'admin',
      before: null,
      after: { stages: 64, truncated: true },
    });
  });
});

describe('without keys', () => {
  it('nobody is named, and what a pipeline does by itself has no operator at all', async () => {
    await service[Symbol.asyncDispose]();
    service = await startGuarded([]);
    const open = service;
    await open.as(null, 'POST', '/pipelines', {
      id: 'p',
      stages: [{ name: 'S', tasks: ['fail'], stageAttempts: 1, taskAttempts: 1, pauseAfterFailures: { count: 1, withinSeconds: 60 } }],
    });
    await open.as(null, 'POST', '/pipelines/p/run', { items: [1] });
    const { events } = open.host.get('p').events.read(0, 1000, { types: new Set(['pipeline']) });
    expect(events.map(({ data }) => data)).toMatchObject([
      { change: 'created', by: null, before: null, after: { stages: [{ name: 'S', workers: 1, tasks: ['fail'] }] } },
      { change: 'started' },
      { change: 'stage-paused', reason: expect.any(String) },
    ]);
    expect(events.map(({ data }) => 'by' in data)).toEqual([true, false, false]);
  });
});
