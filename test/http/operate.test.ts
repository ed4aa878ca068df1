import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Guarded, keysOf, startGuarded } from './access-harness.ts';

let service: Guarded;
beforeAll(async () => {
  service = await startGuarded(keysOf('ops:operate', 'both:read+operate', 'boss:admin'));
  service.host.limiters.define('api', { concurrency: 1, key: 'metadata.customer' });
  await service.host.create({ id: 'p', stages: [{ name: 'S', workers: 2, tasks: [{ task: 'gated', limiter: 'api' }] }] });
  await service.as('boss', 'POST', '/pipelines/p/feed', { items: [{ id: 'a', customer: 'acme' }] });
  await service.held(1);
});
afterAll(() => service[Symbol.asyncDispose]());

/** Each leaves the pipeline running for the next. */
const ACTIONS = ['pause', 'resume', 'stages/S/pause', 'stages/S/resume'];

describe('a key with `operate` alone', () => {
  it('learns what has become of the pipeline, and not what it is made of', async () => {
    for (const action of ACTIONS) {
      const { status, body } = await service.as('ops', 'POST', `/pipelines/p/${action}`);
      expect([action, status]).toEqual([action, 200]);
      expect(Object.keys(body).sort()).toEqual(
        ['id', 'itemsCancelled', 'itemsFailed', 'itemsInFlight', 'itemsProcessed', 'pausedStages', 'state'].sort(),
      );
    }
    await service.host.create({ id: 'new', stages: [{ name: 'S', tasks: ['echo'] }] }, { start: false });
    const { status, body } = await service.as('ops', 'POST', '/pipelines/new/start');
    expect([status, body.state, body.definition]).toEqual([200, 'running', undefined]);
  });

  it('changes a limiter and is not shown its keys, which are made of items', async () => {
    const { status, body } = await service.as('ops', 'PATCH', '/limiters/api', { concurrency: 2 });
    expect([status, body.settings.concurrency, body.inUse, body.keys]).toEqual([200, 2, 1, []]);
  });
});

describe.each(['both', 'boss'])('the key "%s", which may read as well,', (key) => {
  it('is answered with the definition and the keys', async () => {
    for (const action of ACTIONS) {
      const { body } = await service.as(key, 'POST', `/pipelines/p/${action}`);
      expect(body).toMatchObject({ definition: { id: 'p' }, secrets: [], overrides: {}, workers: { S: ['S-W0', 'S-W1'] } });
    }
    const { body } = await service.as(key, 'PATCH', '/limiters/api', { concurrency: 2 });
    expect(body.keys).toEqual([expect.objectContaining({ key: 'acme' })]);
  });
});
