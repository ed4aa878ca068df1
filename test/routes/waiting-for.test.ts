import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, feed, get, post, type Service, startService } from '../http/app-harness.ts';

let service: Service;
let began: number;
beforeEach(async () => {
  began = Date.now();
  service = await startService();
});
afterEach(() => service[Symbol.asyncDispose]());

const pipeline = (stages: object[]) => create(service, { id: 'p', stages });
const waitingFor = async (id: string) => (await get(service, `/pipelines/p/items/${id}`)).json().waitingFor;
/** The instant lies so many seconds after one between the beginning of the test and now. */
const expectAfter = (text: string, seconds: number): void => {
  const since = Date.parse(text) - seconds * 1000;
  expect(since).toBeGreaterThanOrEqual(began - 1);
  expect(since).toBeLessThanOrEqual(Date.now() + 1);
};

describe('waitingFor', () => {
  it('is null for an item that runs and for one that has ended', async () => {
    await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await feed(service, 'p', [{ id: 'x' }]);
    await service.held(1);
    expect(await waitingFor('x')).toBeNull();
    await service.app.inject({ method: 'DELETE', url: '/pipelines/p/items/x' });
    expect(await waitingFor('x')).toBeNull();
  });

  it('names workers, when all are busy', async () => {
    await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await feed(service, 'p', [{ id: 'x' }, { id: 'y' }]);
    await service.held(1);
    expect(await waitingFor('y')).toEqual({ reason: 'workers', stage: 'A' });
  });

  it('names the task whose places are taken', async () => {
    await pipeline([{ name: 'A', workers: 2, tasks: ['gated'], taskConcurrencyLimits: { gated: 1 } }]);
    await feed(service, 'p', [{ id: 'x' }, { id: 'y' }]);
    await service.held(1);
    expect(await waitingFor('y')).toEqual({ reason: 'task-limit', task: 'gated' });
  });

  it('names the task whose rate is used up, and until when', async () => {
    await pipeline([{ name: 'A', workers: 2, tasks: ['gated'], taskRateLimits: { gated: { limit: 1, perSeconds: 60 } } }]);
    await feed(service, 'p', [{ id: 'x' }, { id: 'y' }]);
    await service.held(1);
    const waiting = await waitingFor('y');
    expect(waiting).toEqual({ reason: 'rate-limit', task: 'gated', until: expect.any(String) });
    expectAfter(waiting.until, 60);
  });

  it('names the shared limiter, and until when it is held', async () => {
    service.host.limiters.define('api', { limit: 1, perSeconds: 60 });
    await pipeline([{ name: 'A', workers: 2, tasks: [{ task: 'gated', limiter: 'api' }] }]);
    await feed(service, 'p', [{ id: 'x' }, { id: 'y' }]);
    await service.held(1);
    const waiting = await waitingFor('y');
    expect(waiting).toEqual({ reason: 'rate-limit', task: 'gated', limiter: 'api', until: expect.any(String) });
    expectAfter(waiting.until, 60);
  });

  it('says until when an item is parked before its next attempt', async () => {
    await pipeline([{ name: 'A', tasks: ['gated'], taskWaitSeconds: 60 }]);
    await feed(service, 'p', [{ id: 'x' }]);
    await service.held(1);
    service.gate.fail('x', new Error('not yet'));
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = await waitingFor('x');
    expect(waiting).toEqual({ reason: 'retry', until: expect.any(String) });
    expectAfter(waiting.until, 60);
  });

  it('names the stage that has no room', async () => {
    await pipeline([
      { name: 'A', workers: 3, tasks: ['echo'] },
      { name: 'B', tasks: ['gated'], queueCapacity: 1 },
    ]);
    await feed(service, 'p', [{ id: 'x' }, { id: 'y' }, { id: 'z' }]);
    await service.held(1);
    expect(await waitingFor('z')).toEqual({ reason: 'next-stage-full', stage: 'B' });
    expect((await get(service, '/pipelines/p/stats')).json().bottleneck).toMatchObject({ stage: 'B' });
  });

  it('says when the pipeline or its stage is paused', async () => {
    await pipeline([{ name: 'A', tasks: ['echo'] }]);
    await post(service, '/pipelines/p/stages/A/pause');
    await feed(service, 'p', [{ id: 'x' }]);
    expect(await waitingFor('x')).toEqual({ reason: 'paused', stage: 'A' });
    await post(service, '/pipelines/p/stages/A/resume');
    await post(service, '/pipelines/p/pause');
    await feed(service, 'p', [{ id: 'y' }]);
    expect(await waitingFor('y')).toEqual({ reason: 'paused', stage: 'A' });
  });
});
