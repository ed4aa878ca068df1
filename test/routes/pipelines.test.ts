import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ended } from '../conformance/world.ts';
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
      pausedReasons: {},
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
          stateReason: null,
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
          stateReason: null,
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

  it('says why a stage has paused itself, to those who may read', async () => {
    await create(service, definition('p', 'fail', { pauseAfterFailures: { count: 2, withinSeconds: 60 } }));
    await feed(service, 'p', ['a', 'b', 'c']);
    await ended(service.host.get('p'), 2);
    const shown = (await get(service, '/pipelines/p')).json();
    const reason = '2 items failed within 60 s, the last one with PermanentError: no "b"';
    expect([shown.state, shown.pausedStages, shown.pausedReasons]).toEqual(['running', ['Only'], { Only: reason }]);
    expect(shown.definition.stages[0].pauseAfterFailures).toEqual({ count: 2, withinSeconds: 60 });
    const resumed = (await post(service, '/pipelines/p/stages/Only/resume')).json();
    expect([resumed.pausedStages, resumed.pausedReasons]).toEqual([[], {}]);
    const paused = (await post(service, '/pipelines/p/stages/Only/pause')).json();
    expect([paused.pausedStages, paused.pausedReasons]).toEqual([['Only'], {}]);
  });

  it.each([
    [{ count: 0, withinSeconds: 60 }, 400, 'invalid-input', '/stages/0/pauseAfterFailures/count'],
    [{ count: 1.5, withinSeconds: 60 }, 400, 'invalid-input', '/stages/0/pauseAfterFailures/count'],
    [{ count: 1 }, 400, 'invalid-input', '/stages/0/pauseAfterFailures/withinSeconds'],
    [{ count: 1, withinSeconds: 0 }, 400, 'invalid-input', '/stages/0/pauseAfterFailures/withinSeconds'],
    [{ count: 1, withinSeconds: 1, within: 1 }, 400, 'invalid-input', '/stages/0/pauseAfterFailures/within'],
    [{ count: 1, withinSeconds: 1, hook: 'nobody' }, 422, 'unknown-task', '/stages/0/pauseAfterFailures/hook'],
    [{ count: 1, withinSeconds: 1, hook: { task: 'nobody' } }, 422, 'unknown-task', '/stages/0/pauseAfterFailures/hook/task'],
    [true, 400, 'invalid-input', '/stages/0/pauseAfterFailures'],
  ])('refuses pauseAfterFailures %j', async (pauseAfterFailures, status, code, path) => {
    const response = await create(service, definition('p', 'fail', { pauseAfterFailures }));
    expect([response.statusCode, response.json().code]).toEqual([status, code]);
    expect(response.json().errors.map((fault: { path: string }) => fault.path)).toContain(path);
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

describe('PUT /pipelines/:id', () => {
  const put = (id: string, payload: object) => service.app.inject({ method: 'PUT', url: `/pipelines/${id}`, payload });

  it('creates a pipeline, then takes the same definition as nothing new', async () => {
    const { stages } = definition('p');
    const made = await put('p', { stages });
    expect([made.statusCode, made.headers.location]).toEqual([201, '/pipelines/p']);
    expect(made.json()).toMatchObject({ id: 'p', state: 'running', changes: [], moved: [] });
    const again = await put('p', { id: 'p', stages });
    expect([again.statusCode, again.headers.location]).toEqual([200, undefined]);
    expect(again.json()).toMatchObject({ changes: [], moved: [] });
    expect((await put('q', { stages, start: false })).json().state).toBe('created');
  });

  it('redefines one that runs, with items in it, and says what became of them', async () => {
    await create(service, { id: 'p', stages: [{ name: 'Hold', tasks: ['gated'] }, ...definition('p').stages] });
    await feed(service, 'p', ['a', 'b', 'c']);
    await service.held(1);
    const response = await put('p', definition('p'));
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      definition: { stages: [{ name: 'Only' }] },
      changes: [{ stage: 'Hold', change: 'removed' }],
      moved: [{ from: 'Hold', to: 'Only', items: 2, running: 1 }],
    });
    service.gate.open();
    expect((await post(service, '/pipelines/p/join')).json()).toMatchObject({ itemsProcessed: 3, itemsInFlight: 0 });
  });

  it('names every fault, and an id that is another than the address says', async () => {
    await create(service, definition('p'));
    const faulty = await put('p', {
      stages: [
        { name: 'A', tasks: ['nope'], workers: 0 },
        { name: 'A', tasks: ['echo'] },
      ],
    });
    expect(faulty.json().errors.map(({ path }: { path: string }) => path)).toEqual([
      '/stages/0/workers',
      '/stages/0/tasks/0',
      '/stages/1/name',
    ]);
    const other = await put('p', definition('q'));
    expect([other.statusCode, other.json().errors]).toEqual([400, [expect.objectContaining({ path: '/id' })]]);
    expect((await get(service, '/pipelines/p')).json().definition.stages[0].tasks).toEqual(['echo']);
  });
});

describe('PATCH and DELETE /pipelines/:id/stages/:stage', () => {
  const patch = (stage: string, payload: object) => service.app.inject({ method: 'PATCH', url: `/pipelines/p/stages/${stage}`, payload });

  it('tune a stage and return to the definition', async () => {
    await create(service, definition('p'));
    const defined = { workers: 1, taskConcurrencyLimits: {}, taskRateLimits: {}, queueCapacity: 100 };
    const tuned = await patch('Only', { workers: 3, taskRateLimits: { echo: { limit: 5, perSeconds: 1 } } });
    expect(tuned.statusCode).toBe(200);
    expect(tuned.json()).toEqual({
      stage: 'Only',
      effective: { ...defined, workers: 3, taskRateLimits: { echo: { limit: 5, perSeconds: 1 } } },
      defined,
    });
    expect((await get(service, '/pipelines/p')).json()).toMatchObject({
      overrides: { Only: { workers: 3 } },
      workers: { Only: ['Only-W0', 'Only-W1', 'Only-W2'] },
      definition: { stages: [{ workers: 1 }] },
    });
    const dropped = await remove('/pipelines/p/stages/Only');
    expect([dropped.statusCode, dropped.json()]).toEqual([200, { stage: 'Only', effective: defined, defined }]);
    expect((await get(service, '/pipelines/p')).json()).toMatchObject({ overrides: {}, secrets: [], workers: { Only: ['Only-W0'] } });
  });

  it.each([
    ['no workers', 'Only', { workers: 0 }, 400, 'invalid-input', '/workers'],
    ['a field that cannot be tuned', 'Only', { tasks: ['echo'] }, 400, 'invalid-input', '/tasks'],
    [
      'a limit of a task that is not there',
      'Only',
      { taskConcurrencyLimits: { other: 1 } },
      422,
      'invalid-pipeline',
      '/taskConcurrencyLimits/other',
    ],
    ['too many workers', 'Only', { workers: 100_000 }, 422, 'invalid-pipeline', '/workers'],
  ])('refuse %s', async (_what, stage, body, status, code, path) => {
    await create(service, definition('p'));
    const response = await patch(stage, body);
    expect([response.statusCode, response.json().code]).toEqual([status, code]);
    expect(response.json().errors).toContainEqual(expect.objectContaining({ path }));
  });

  it('know no stage that is not there', async () => {
    await create(service, definition('p'));
    for (const response of [await patch('None', { workers: 1 }), await remove('/pipelines/p/stages/None')]) {
      expect([response.statusCode, response.json().code]).toEqual([422, 'unknown-stage']);
    }
  });
});
