import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, feed, get, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  service.host.limiters.define('api', { concurrency: 1, key: 'metadata.customer' });
  service.host.limiters.define('also', { limit: 5, perSeconds: 60 });
});
afterEach(() => service[Symbol.asyncDispose]());

const patch = (name: string, payload: object) => service.app.inject({ method: 'PATCH', url: `/limiters/${name}`, payload });
const using = (limiter: string | string[]) => ({ id: 'p', stages: [{ name: 'S', workers: 4, tasks: [{ task: 'gated', limiter }] }] });

describe('GET /limiters', () => {
  it('lists them by name, with what uses them', async () => {
    await create(service, using('api'));
    await feed(service, 'p', [
      { id: 'a', customer: 'x' },
      { id: 'b', customer: 'x' },
      { id: 'c', customer: 'y' },
    ]);
    await service.held(2);
    const reply = await get(service, '/limiters');
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toEqual({
      limiters: [
        {
          name: 'also',
          inUse: 0,
          waiting: 0,
          usedInWindow: 0,
          nextAt: null,
          heldUntil: null,
          settings: { limit: 5, perSeconds: 60, maxHoldSeconds: 300, onRetryAfter: 'hold' },
          defined: { limit: 5, perSeconds: 60 },
          waiters: [],
          keys: [],
        },
        {
          name: 'api',
          inUse: 2,
          waiting: 1,
          usedInWindow: null,
          nextAt: null,
          heldUntil: null,
          settings: { concurrency: 1, key: 'metadata.customer', maxHoldSeconds: 300, onRetryAfter: 'hold' },
          defined: { concurrency: 1, key: 'metadata.customer' },
          waiters: [{ pipelineId: 'p', stage: 'S', count: 1 }],
          keys: [
            { key: 'x', inUse: 1, waiting: 1, usedInWindow: null, nextAt: null, heldUntil: null },
            { key: 'y', inUse: 1, waiting: 0, usedInWindow: null, nextAt: null, heldUntil: null },
          ],
        },
      ],
      nextCursor: null,
    });
  });

  it('counts an execution under each limiter of its task, and items say which one they wait for', async () => {
    await create(service, using(['api', 'also']));
    await feed(service, 'p', [
      { id: 'a', customer: 'x' },
      { id: 'b', customer: 'x' },
    ]);
    await service.held(1);
    const { limiters } = (await get(service, '/limiters')).json();
    expect(limiters.map(({ name, inUse, waiting }: Record<string, unknown>) => [name, inUse, waiting])).toEqual([
      ['also', 2, 0],
      ['api', 1, 1],
    ]);
    const items = await Promise.all(['a', 'b'].map(async (id) => (await get(service, `/pipelines/p/items/${id}`)).json().waitingFor));
    expect(items).toContainEqual({ reason: 'task-limit', task: 'gated', limiter: 'api' });
    expect(items).toContainEqual(null);
  });

  it.each([
    [['api', 'none'], 422, 'unknown-limiter', '/stages/0/tasks/0/limiter/1'],
    ['none', 422, 'unknown-limiter', '/stages/0/tasks/0/limiter'],
    [['api', 'api'], 400, 'invalid-input', '/stages/0/tasks/0'],
    [[], 400, 'invalid-input', '/stages/0/tasks/0'],
    [[7], 400, 'invalid-input', '/stages/0/tasks/0'],
  ])('%j as limiters of a task are refused', async (limiter, status, code, path) => {
    const reply = await service.app.inject({ method: 'POST', url: '/pipelines', payload: using(limiter as string[]) });
    expect([reply.statusCode, reply.json().code]).toEqual([status, code]);
    expect(reply.json().errors[0].path.startsWith(path)).toBe(true);
  });

  it('has pages', async () => {
    const first = (await get(service, '/limiters?limit=1')).json();
    const second = (await get(service, `/limiters?limit=1&cursor=${first.nextCursor}`)).json();
    expect([...first.limiters, ...second.limiters].map(({ name }: { name: string }) => name)).toEqual(['also', 'api']);
  });
});

describe('PATCH /limiters/:name', () => {
  it('changes one at once, for those who wait', async () => {
    await create(service, using('api'));
    await feed(service, 'p', [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await service.held(1);
    const reply = await patch('api', { concurrency: 3 });
    expect(reply.json()).toMatchObject({ name: 'api', inUse: 3, waiting: 0, settings: { concurrency: 3, key: 'metadata.customer' } });
    await service.held(3);
  });

  it('lifts a hold by `heldUntil: null`', async () => {
    const until = async () => (await get(service, '/limiters')).json().limiters[1].heldUntil;
    const signal = new AbortController().signal;
    const claim = { value: null, metadata: {}, priority: 100 };
    const pass = await service.host.limiters.find('api')?.claim(claim, signal, true).pass;
    pass?.hold(200);
    expect(await until()).toEqual(expect.any(String));
    const reply = await patch('api', { heldUntil: null, maxHoldSeconds: 60, onRetryAfter: 'item' });
    expect(reply.json()).toMatchObject({ heldUntil: null, settings: { maxHoldSeconds: 60, onRetryAfter: 'item' } });
    expect(await until()).toBeNull();
    pass?.release();
  });

  it.each([
    ['api', { heldUntil: '2026-11-26T00:00:00.000Z' }, 400, 'invalid-input'],
    ['api', { maxHoldSeconds: -1 }, 400, 'invalid-input'],
    ['api', { onRetryAfter: 'all' }, 400, 'invalid-input'],
    ['api', { concurrency: 0 }, 400, 'invalid-input'],
    ['api', { concurrency: null }, 400, 'invalid-input'],
    ['api', { limit: 5 }, 400, 'invalid-input'],
    ['api', { key: 'value.host' }, 400, 'invalid-input'],
    ['none', { concurrency: 1 }, 404, 'limiter-not-found'],
    ['a%2Fb', { concurrency: 1 }, 400, 'invalid-input'],
  ])('of %s with %j is a %i %s', async (name, body, status, code) => {
    const reply = await patch(name, body);
    expect([reply.statusCode, reply.json().code]).toEqual([status, code]);
  });
});

describe('DELETE /limiters/:name', () => {
  const reset = (name: string) => service.app.inject({ method: 'DELETE', url: `/limiters/${name}` });

  it('returns one to its definition at once, for those who wait', async () => {
    await create(service, using('api'));
    await patch('api', { concurrency: null, limit: 1, perSeconds: 600, onRetryAfter: 'item' });
    await feed(service, 'p', [
      { id: 'a', customer: 'x' },
      { id: 'b', customer: 'y' },
      { id: 'c', customer: 'x' },
    ]);
    await service.held(2);
    await reset('api');
    await patch('api', { concurrency: 2 });
    await service.held(3);
    const reply = await reset('api');
    expect(reply.json()).toMatchObject({
      settings: { concurrency: 1, key: 'metadata.customer', maxHoldSeconds: 300, onRetryAfter: 'hold' },
      defined: { concurrency: 1, key: 'metadata.customer' },
      inUse: 3,
      usedInWindow: null,
    });
    expect(reply.json().settings).not.toHaveProperty('limit');
  });

  it.each([
    ['none', 404, 'limiter-not-found'],
    ['a%2Fb', 400, 'invalid-input'],
  ])('of %s is a %i %s', async (name, status, code) => {
    const reply = await reset(name);
    expect([reply.statusCode, reply.json().code]).toEqual([status, code]);
  });
});

describe('a definition that names a limiter', () => {
  it('is refused when there is none of that name', async () => {
    const reply = await create(service, using('apy'));
    expect(reply.statusCode).toBe(422);
    expect(reply.json()).toMatchObject({ code: 'unknown-limiter', errors: [{ path: '/stages/0/tasks/0/limiter' }] });
  });
});
