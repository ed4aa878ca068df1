/** What a key with `feed` alone may ask for beside its items, and who may start what does not run. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Guarded, keysOf, startGuarded } from './access-harness.ts';
import { create, definition, feed, get, run, startService } from './app-harness.ts';

let service: Guarded;
const stages = [
  { name: 'A', tasks: ['echo'] },
  { name: 'B', tasks: ['echo'] },
];
beforeAll(async () => {
  service = await startGuarded(
    keysOf(
      'ci:feed',
      'both:read+feed',
      'stage:feed;feedOptions=targetStage',
      'all:feed;feedOptions=targetStage+rerun+priority',
      'ops:feed+operate',
      'me:admin',
    ),
  );
  await service.host.create({ id: 'strict', stages });
  await service.host.create({ id: 'open', feedOptions: { targetStage: true, rerun: true, priorityMin: 10 }, stages });
});
afterAll(() => service[Symbol.asyncDispose]());

const OPTIONS = [
  { targetStage: 'B' },
  { targetStage: 'A' },
  { targetStage: 'Nowhere' },
  { onDuplicate: 'rerun' },
  { priority: 99 },
  { priority: 0 },
  { priority: 9 },
];

/** In a body of JSON, and in the query of both kinds of body. */
async function send(key: string, id: string, options: object): Promise<number[]> {
  const query = new URLSearchParams(options as Record<string, string>);
  const replies = [];
  for (const route of ['feed', 'run']) {
    const url = `/pipelines/${id}/${route}`;
    replies.push(await service.as(key, 'POST', url, { items: [1], ...options }));
    replies.push(await service.as(key, 'POST', `${url}?${query}`, { items: [1] }));
    replies.push(await service.as(key, 'POST', `${url}?${query}`, '1\n'));
    replies.push(await service.as(key, 'POST', `${url}?${query}`, '1\n', { accept: 'application/x-ndjson' }));
  }
  return [...new Set(replies.map(({ status }) => (status < 300 ? 200 : status)))];
}

const fed = async (id: string) => (await service.host.get(id).stats()).itemsFed;

describe('beside its items a key with feed alone', () => {
  it.each(OPTIONS)('may not ask for %j', async (options) => {
    const before = await fed('strict');
    expect(await send('ci', 'strict', options)).toEqual([403]);
    expect(await send('both', 'strict', options)).toEqual([403]);
    expect(await fed('strict')).toBe(before);
    const { body } = await service.as('ci', 'POST', '/pipelines/strict/feed', { items: [1], ...options });
    expect(body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('"ci"') });
  });

  it.each([{}, { priority: 100 }, { priority: 2_000_000 }, { onDuplicate: 'skip' }, { feedId: undefined }])(
    'may ask for %j',
    async (options) => {
      expect(await send('ci', 'strict', JSON.parse(JSON.stringify(options)))).toEqual([200]);
    },
  );

  it.each([
    [{ targetStage: 'B' }, 200],
    [{ targetStage: 'Nowhere' }, 422],
    [{ onDuplicate: 'rerun' }, 200],
    [{ priority: 10 }, 200],
    [{ priority: 9 }, 403],
  ])('may ask for %j where the pipeline allows it: %i', async (options, status) => {
    expect(await send('ci', 'open', options)).toEqual([status]);
  });

  it('may ask for what its key allows', async () => {
    expect(await send('stage', 'strict', { targetStage: 'B' })).toEqual([200]);
    expect(await send('stage', 'strict', { priority: 1 })).toEqual([403]);
    for (const options of [{ targetStage: 'B' }, { onDuplicate: 'rerun' }, { priority: 0 }]) {
      expect(await send('all', 'strict', options)).toEqual([200]);
    }
  });

  it.each(['ops', 'me'])('has nothing to ask for with the key of %s', async (key) => {
    for (const options of [{ targetStage: 'B' }, { onDuplicate: 'rerun' }, { priority: 0 }]) {
      expect(await send(key, 'strict', options)).toEqual([200]);
    }
  });

  it('does not begin with a priority that is worse than the default where the pipeline says so', async () => {
    await service.host.create({ id: 'odd', feedOptions: { priorityMin: 500 }, stages });
    expect(await send('ci', 'odd', { priority: 100 })).toEqual([200]);
    expect(await send('ci', 'odd', { priority: 99 })).toEqual([403]);
  });
});

describe('the feedOptions of a definition', () => {
  it('are shown, kept, and changed with it', async () => {
    const put = await service.as('me', 'PUT', '/pipelines/changing', { stages, feedOptions: { rerun: true } });
    expect(put.body.definition.feedOptions).toEqual({ rerun: true });
    expect(await send('ci', 'changing', { onDuplicate: 'rerun' })).toEqual([200]);
    await service.as('me', 'PUT', '/pipelines/changing', { stages });
    expect(await send('ci', 'changing', { onDuplicate: 'rerun' })).toEqual([403]);
  });

  it.each([{ priorityMin: -1 }, { priorityMin: 1.5 }, { rerun: 'yes' }, { priority: 1 }, ['rerun']])(
    'are refused as %j',
    async (feedOptions) => {
      expect((await service.as('me', 'POST', '/pipelines', { id: 'bad', stages, feedOptions })).status).toBe(400);
    },
  );
});

describe('a pipeline that does not run', () => {
  const idle = ['created', 'stopped'] as const;

  it.each(idle)('is not started by a run with feed alone when it is %s, and takes its feeds', async (state) => {
    const id = `idle-${state}`;
    await service.host.create({ id, stages }, { start: false });
    if (state === 'stopped') {
      await service.host.get(id).start();
      await service.host.get(id).shutdown('graceful');
    }
    for (const key of ['ci', 'both', 'all']) {
      for (const [body, headers] of [
        [{ items: [1] }, {}],
        [{ items: [1] }, { accept: 'application/x-ndjson' }],
        ['1\n', { accept: 'text/event-stream' }],
        ['1\n', {}],
      ] as const) {
        const reply = await service.as(key, 'POST', `/pipelines/${id}/run`, body, headers);
        expect(reply).toMatchObject({ status: 409, body: { code: 'not-running', detail: expect.stringContaining(state) } });
      }
    }
    expect((await service.host.get(id).describe()).state).toBe(state);
    expect(await fed(id)).toBe(0);
    expect((await service.as('ci', 'POST', `/pipelines/${id}/feed`, { items: ['waits'] })).status).toBe(202);
    expect((await service.as('ops', 'POST', `/pipelines/${id}/run`, { items: ['now'] })).body.results).toMatchObject([{ value: 'now' }]);
    expect((await service.host.get(id).describe()).state).toBe('running');
  });

  it('lets the refused request be sent again under its Idempotency-Key once it runs', async () => {
    await service.host.create({ id: 'later', stages }, { start: false });
    const send = () => service.as('ci', 'POST', '/pipelines/later/run', { items: ['x'] }, { 'idempotency-key': 'k' });
    expect((await send()).status).toBe(409);
    await service.host.get('later').start();
    expect((await send()).body.results).toMatchObject([{ value: 'x' }]);
  });
});

describe('without keys', () => {
  it('everything is as it was', async () => {
    const open = await startService();
    await create(open, { ...definition('p'), start: false });
    expect((await run(open, 'p', [1])).statusCode).toBe(200);
    expect((await feed(open, 'p', [{ id: 'a' }], { priority: 0, targetStage: 'Only', onDuplicate: 'rerun' })).statusCode).toBe(202);
    expect((await get(open, '/whoami')).json()).toEqual({
      name: null,
      scopes: ['read', 'feed', 'operate', 'admin', 'work'],
      pipelines: null,
      expiresAt: null,
    });
    await open[Symbol.asyncDispose]();
  });
});
