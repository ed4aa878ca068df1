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
const using = (limiter: string) => ({ id: 'p', stages: [{ name: 'S', workers: 4, tasks: [{ task: 'gated', limiter }] }] });

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
        { name: 'also', inUse: 0, waiting: 0, heldUntil: null, settings: { limit: 5, perSeconds: 60 }, keys: [] },
        {
          name: 'api',
          inUse: 2,
          waiting: 1,
          heldUntil: null,
          settings: { concurrency: 1, key: 'metadata.customer' },
          keys: [
            { key: 'x', inUse: 1, waiting: 1, heldUntil: null },
            { key: 'y', inUse: 1, waiting: 0, heldUntil: null },
          ],
        },
      ],
      nextCursor: null,
    });
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

  it.each([
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

describe('a definition that names a limiter', () => {
  it('is refused when there is none of that name', async () => {
    const reply = await create(service, using('apy'));
    expect(reply.statusCode).toBe(422);
    expect(reply.json()).toMatchObject({ code: 'unknown-limiter', errors: [{ path: '/stages/0/tasks/0/limiter' }] });
  });
});
