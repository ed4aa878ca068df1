import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
});
afterEach(() => service[Symbol.asyncDispose]());

const remove = (url: string) => service.app.inject({ method: 'DELETE', url });

describe('POST /pipelines', () => {
  it('creates and starts a pipeline, with every default filled in', async () => {
    const response = await create(service, definition('p'));
    expect(response.statusCode).toBe(201);
    expect(response.headers.location).toBe('/pipelines/p');
    expect(response.json()).toMatchObject({
      id: 'p',
      state: 'running',
      workers: { Only: ['Only-W0'] },
      pausedStages: [],
      itemsInFlight: 0,
      definition: {
        id: 'p',
        collectResults: true,
        stages: [{ name: 'Only', workers: 1, retry: 'per_task', taskAttempts: 3, pull: false }],
      },
    });
  });

  it('leaves it created when asked to', async () => {
    expect((await create(service, { ...definition('p'), start: false })).json().state).toBe('created');
  });

  it('refuses an id that is taken', async () => {
    await create(service, definition('p'));
    const response = await create(service, definition('p'));
    expect([response.statusCode, response.json().code]).toEqual([409, 'pipeline-exists']);
  });

  it.each([
    ['an unknown task', definition('p', 'nope'), 422, 'unknown-task', '/stages/0/tasks/0'],
    [
      'two stages of one name',
      { id: 'p', stages: [...definition('p').stages, ...definition('p').stages] },
      422,
      'invalid-pipeline',
      '/stages/1/name',
    ],
    [
      'a limit for a task it lacks',
      definition('p', 'echo', { taskConcurrencyLimits: { other: 1 } }),
      422,
      'invalid-pipeline',
      '/stages/0/taskConcurrencyLimits/other',
    ],
    ['zero workers', definition('p', 'echo', { workers: 0 }), 400, 'invalid-input', '/stages/0/workers'],
    ['an unknown field', definition('p', 'echo', { wrokers: 1 }), 400, 'invalid-input', '/stages/0/wrokers'],
    ['a reserved id', definition('constructor'), 400, 'invalid-input', '/id'],
    ['no stages', { id: 'p', stages: [] }, 400, 'invalid-input', '/stages'],
    ['a start that is no boolean', { ...definition('p'), start: 'yes' }, 400, 'invalid-input', '/start'],
  ])('refuses %s', async (_name, body, status, code, path) => {
    const response = await create(service, body);
    expect([response.statusCode, response.json().code]).toEqual([status, code]);
    expect(response.json().errors).toContainEqual({ path, message: expect.any(String) });
  });

  it('lists faults of form and of meaning at once', async () => {
    const { errors } = (await create(service, { id: '!', stages: [{ name: 'A', tasks: ['nope'], workers: 0 }] })).json();
    expect(errors.map((fault: { path: string }) => fault.path).sort()).toEqual(['/id', '/stages/0/tasks/0', '/stages/0/workers']);
  });

  it.each([[[]], ['text'], [null]])('refuses the body %j', async (body) => {
    const response = await service.app.inject({
      method: 'POST',
      url: '/pipelines',
      headers: { 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    });
    expect([response.statusCode, response.json().code]).toEqual([400, 'invalid-input']);
  });
});

describe('GET /pipelines', () => {
  it('lists state, stages and counters, by id', async () => {
    await create(service, definition('b'));
    await create(service, { ...definition('a'), description: 'first', start: false });
    expect((await get(service, '/pipelines')).json()).toEqual({
      pipelines: [
        {
          id: 'a',
          description: 'first',
          state: 'created',
          stages: ['Only'],
          itemsProcessed: 0,
          itemsFailed: 0,
          itemsCancelled: 0,
          itemsInFlight: 0,
        },
        {
          id: 'b',
          description: null,
          state: 'running',
          stages: ['Only'],
          itemsProcessed: 0,
          itemsFailed: 0,
          itemsCancelled: 0,
          itemsInFlight: 0,
        },
      ],
      nextCursor: null,
    });
  });

  it('goes on from a cursor, each pipeline once', async () => {
    for (const id of ['c', 'a', 'b']) await create(service, definition(id));
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const url: string = `/pipelines?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
      const page = (await get(service, url)).json();
      ids.push(...page.pipelines.map((row: { id: string }) => row.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(ids).toEqual(['a', 'b', 'c']);
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'limit=', 'nope=1'])('refuses ?%s', async (query) => {
    expect((await get(service, `/pipelines?${query}`)).statusCode).toBe(400);
  });

  it('refuses the cursor of another list', async () => {
    await create(service, definition('a'));
    await create(service, definition('b'));
    const { nextCursor } = (await get(service, '/pipelines?limit=1')).json();
    expect((await get(service, `/tasks?cursor=${nextCursor}`)).json().code).toBe('invalid-cursor');
  });
});

describe('GET /pipelines/:id', () => {
  it('shows what was created', async () => {
    const created = (await create(service, definition('p'))).json();
    expect((await get(service, '/pipelines/p')).json()).toEqual(created);
  });

  it('does not know others', async () => {
    const response = await get(service, '/pipelines/p');
    expect([response.statusCode, response.json().code]).toEqual([404, 'pipeline-not-found']);
  });
});

describe('DELETE /pipelines/:id', () => {
  it('removes an idle pipeline', async () => {
    await create(service, definition('p'));
    const response = await remove('/pipelines/p');
    expect([response.statusCode, response.body]).toEqual([204, '']);
    expect((await get(service, '/pipelines/p')).statusCode).toBe(404);
  });

  it('is refused while items are in flight, unless by force', async () => {
    await create(service, definition('p', 'hold'));
    await feed(service, 'p', [1, 2]);
    const refused = await remove('/pipelines/p');
    expect([refused.statusCode, refused.json().code, refused.json().itemsInFlight]).toEqual([409, 'items-in-flight', 2]);
    expect((await remove('/pipelines/p?mode=now')).statusCode).toBe(400);
    expect((await remove('/pipelines/p?mode=force')).statusCode).toBe(204);
  });

  it('finishes the items first with mode=drain', async () => {
    await create(service, definition('p', 'hold'));
    await feed(service, 'p', [1]);
    const removing = remove('/pipelines/p?mode=drain');
    service.release();
    expect((await removing).statusCode).toBe(204);
  });
});

describe('control', () => {
  it('starts, pauses and resumes, and says what state it is in', async () => {
    await create(service, { ...definition('p'), start: false });
    expect((await post(service, '/pipelines/p/start')).json().state).toBe('running');
    const again = await post(service, '/pipelines/p/start');
    expect([again.statusCode, again.json().code]).toEqual([409, 'already-running']);
    expect((await post(service, '/pipelines/p/pause', {})).json().state).toBe('paused');
    expect((await post(service, '/pipelines/p/resume')).json().state).toBe('running');
    expect((await post(service, '/pipelines/p/pause', { mode: 'x' })).statusCode).toBe(400);
  });

  it('pauses one stage', async () => {
    await create(service, definition('p'));
    expect((await post(service, '/pipelines/p/stages/Only/pause')).json().pausedStages).toEqual(['Only']);
    expect((await post(service, '/pipelines/p/stages/Only/resume')).json().pausedStages).toEqual([]);
    expect((await post(service, '/pipelines/p/stages/Other/pause')).json().code).toBe('unknown-stage');
  });

  it('joins: 202 with the statistics so far when the time is up, 200 when all is done', async () => {
    await create(service, definition('p', 'hold'));
    await feed(service, 'p', [1, 2]);
    const early = await post(service, '/pipelines/p/join', { timeoutSeconds: 0 });
    expect([early.statusCode, early.json().itemsInFlight]).toEqual([202, 2]);
    const refused = await feed(service, 'p', [3]);
    expect([refused.statusCode, refused.json().code]).toEqual([409, 'draining']);
    service.release();
    const done = await post(service, '/pipelines/p/join');
    expect([done.statusCode, done.json().itemsProcessed, done.json().itemsInFlight]).toEqual([200, 2, 0]);
  });

  it('shuts one pipeline down and reports what is left', async () => {
    await create(service, { ...definition('p'), start: false });
    await feed(service, 'p', [{ id: 'x' }]);
    const response = await post(service, '/pipelines/p/shutdown', { mode: 'force' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ leftQueued: 1, notKept: 1, notKeptIds: ['x'] });
  });
});
