/** Limiters that are defined with a pipeline, over the API. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { feed, get, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  service.host.limiters.define('filed', { concurrency: 5 });
});
afterEach(() => service[Symbol.asyncDispose]());

type Limits = Record<string, object>;
const stages = (...limiter: string[]) => [{ name: 'S', workers: 4, tasks: [limiter.length === 0 ? 'gated' : { task: 'gated', limiter }] }];
const post = (id: string, limits: unknown, ...uses: string[]) =>
  service.app.inject({ method: 'POST', url: '/pipelines', payload: { id, limits, stages: stages(...uses) } as object });
const put = (id: string, limits: unknown, ...uses: string[]) =>
  service.app.inject({
    method: 'PUT',
    url: `/pipelines/${id}`,
    payload: { ...(limits !== undefined && { limits }), stages: stages(...uses) } as object,
  });
const remove = (id: string, query = '') => service.app.inject({ method: 'DELETE', url: `/pipelines/${id}${query}` });
const limiters = async (): Promise<Limits> =>
  Object.fromEntries(
    (await get(service, '/limiters')).json().limiters.map(({ name, defined }: { name: string; defined: object }) => [name, defined]),
  );
const codeOf = ({ statusCode, json }: Awaited<ReturnType<typeof post>>) => [statusCode, json().code];

describe('a definition with `limits`', () => {
  it('makes the limiters that its own tasks name, and shows them', async () => {
    const limits = { one: { concurrency: 1 }, '429s': { limit: 2.5, perSeconds: 60, weight: 'value.n', key: 'metadata.c' } };
    const made = await post('p', limits, 'one');
    expect(made.statusCode).toBe(201);
    expect(made.json().definition.limits).toEqual(limits);
    expect((await get(service, '/pipelines/p')).json().definition.limits).toEqual(limits);
    expect(await limiters()).toEqual({ ...limits, filed: { concurrency: 5 } });
    await feed(service, 'p', [{ id: 'a' }, { id: 'b' }]);
    await service.held(1);
    expect((await get(service, '/pipelines/p/items/b')).json().waitingFor).toMatchObject({ limiter: 'one' });
  });

  it('is shared: other pipelines use them, together with it', async () => {
    await post('p', { one: { concurrency: 1 } }, 'one');
    expect((await post('q', undefined, 'one')).statusCode).toBe(201);
    await feed(service, 'p', [{ id: 'a' }]);
    await feed(service, 'q', [{ id: 'b' }]);
    await service.held(1);
    const [row] = (await get(service, '/limiters')).json().limiters.filter(({ name }: { name: string }) => name === 'one');
    expect(row).toMatchObject({ inUse: 1, waiting: 1, waiters: [{ pipelineId: 'q', stage: 'S', count: 1 }] });
  });

  it('that is put twice changes nothing the second time', async () => {
    const limits = { one: { concurrency: 1 } };
    expect((await put('p', limits, 'one')).statusCode).toBe(201);
    await service.app.inject({ method: 'PATCH', url: '/limiters/one', payload: { concurrency: 7 } });
    const again = await put('p', limits, 'one');
    expect([again.statusCode, again.json().changes]).toEqual([200, []]);
    const [, row] = (await get(service, '/limiters')).json().limiters;
    expect(row).toMatchObject({ name: 'one', settings: { concurrency: 7 }, defined: { concurrency: 1 } });
  });

  it('that is put with others changes them at once for everyone, and ends what was changed by hand', async () => {
    await put('p', { one: { concurrency: 1 } });
    await post('q', undefined, 'one');
    await feed(service, 'q', [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    await service.held(1);
    await service.app.inject({ method: 'PATCH', url: '/limiters/one', payload: { maxHoldSeconds: 7 } });
    const changed = await put('p', { one: { concurrency: 3 } });
    expect([changed.statusCode, changed.json().changes, changed.json().definition.limits]).toEqual([200, [], { one: { concurrency: 3 } }]);
    await service.held(3);
    const [, row] = (await get(service, '/limiters')).json().limiters;
    expect(row.settings).toEqual({ concurrency: 3, maxHoldSeconds: 300, onRetryAfter: 'hold' });
  });

  it('has them removed when nothing defines them any more', async () => {
    await put('p', { one: { concurrency: 1 }, two: { concurrency: 2 } }, 'one');
    await post('q', { two: { concurrency: 2 }, filed: { concurrency: 5 } }, 'two');
    await put('p', { one: { concurrency: 1 } }, 'one', 'two');
    expect(Object.keys(await limiters())).toEqual(['filed', 'one', 'two']);
    expect((await put('p', undefined)).statusCode).toBe(200);
    expect(Object.keys(await limiters())).toEqual(['filed', 'two']);
    expect((await remove('q')).statusCode).toBe(204);
    expect(Object.keys(await limiters())).toEqual(['filed']);
  });

  it('counts on with one that is removed and defined again while its executions run', async () => {
    await put('p', { one: { concurrency: 1 } }, 'one');
    await feed(service, 'p', [{ id: 'a' }]);
    await service.held(1);
    expect((await put('p', {})).statusCode).toBe(200);
    expect(Object.keys(await limiters())).toEqual(['filed']);
    await put('p', { one: { concurrency: 1 } }, 'one');
    const [, row] = (await get(service, '/limiters')).json().limiters;
    expect(row).toMatchObject({ name: 'one', inUse: 1 });
  });

  it.each<[string, unknown, number, string, string[]]>([
    ['not an object', 7, 400, 'invalid-input', ['/limits']],
    [
      'every fault at once',
      { a: {}, 'b c': { concurrency: 1 }, c: { concurrency: 0, limit: 5 }, d: { concurrency: 1, burst: 2 }, 'e~f': { concurrency: 'x' } },
      400,
      'invalid-input',
      ['/limits/a', '/limits/b c', '/limits/c/concurrency', '/limits/c', '/limits/d/burst', '/limits/e~0f/concurrency'],
    ],
    [
      'expressions',
      { a: { concurrency: 1, key: '(' }, b: { limit: 1, perSeconds: 1, weight: '[' } },
      422,
      'invalid-params',
      ['/limits/a/key', '/limits/b/weight'],
    ],
    [
      'too many',
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`l${i}`, { concurrency: 1 }])),
      400,
      'invalid-input',
      ['/limits'],
    ],
  ])('is refused with %s', async (_what, limits, status, code, paths) => {
    const before = await limiters();
    for (const reply of [await post('p', limits), await put('p', limits)]) {
      expect(codeOf(reply)).toEqual([status, code]);
      expect(reply.json().errors.map(({ path }: { path: string }) => path)).toEqual(paths);
    }
    expect(await limiters()).toEqual(before);
  });

  it('is refused as a whole when a task names one that neither it nor anybody else defines', async () => {
    const reply = await post('p', { one: { concurrency: 1 } }, 'one', 'two');
    expect(codeOf(reply)).toEqual([422, 'unknown-limiter']);
    expect(reply.json().errors).toMatchObject([{ path: '/stages/0/tasks/0/limiter/1' }]);
    expect(Object.keys(await limiters())).toEqual(['filed']);
    await put('p', { one: { concurrency: 1 } }, 'one');
    expect(codeOf(await put('p', {}, 'one'))).toEqual([422, 'unknown-limiter']);
    expect(Object.keys(await limiters())).toEqual(['filed', 'one']);
  });
});

describe('a document of a definitions file', () => {
  const send = (method: 'POST' | 'PUT', url: string, payload: object) => service.app.inject({ method, url, payload });

  it('with one pipeline is taken as it is', async () => {
    const document = {
      limits: { one: { concurrency: 1 } },
      pipelines: [{ id: 'p', limits: { two: { concurrency: 2 } }, stages: stages('one', 'two') }],
    };
    const made = await send('POST', '/pipelines', { ...document, start: false });
    expect([made.statusCode, made.json().state]).toEqual([201, 'created']);
    expect(made.json().definition.limits).toEqual({ one: { concurrency: 1 }, two: { concurrency: 2 } });
    const again = await send('PUT', '/pipelines/p', document);
    expect([again.statusCode, again.json().changes]).toEqual([200, []]);
    expect((await send('PUT', '/pipelines/q', { pipelines: [{ stages: stages('two') }] })).statusCode).toBe(201);
  });

  it.each<[object, string[]]>([
    [{ pipelines: [] }, ['/pipelines']],
    [{ pipelines: [{ stages: stages() }, { stages: stages() }], limit: {}, start: 1 }, ['/start', '/limit', '/pipelines']],
    [{ pipelines: { p: {} } }, ['/pipelines']],
    [{ pipelines: [{ stages: stages('none') }], limits: {} }, ['/pipelines/0/stages/0/tasks/0/limiter/0']],
    [
      { pipelines: [{ stages: stages(), extra: 1, limits: { 'a~b': { concurrency: 0 } } }], limits: { 'c~d': { concurrency: 0 } } },
      ['/pipelines/0/limits/a~0b/concurrency', '/limits/c~0d/concurrency', '/pipelines/0/extra'],
    ],
    [{ pipelines: [{ stages: stages() }], limits: 7 }, ['/limits']],
    [
      { pipelines: [{ stages: stages(), limits: { a: { concurrency: 1 } } }], limits: { a: { concurrency: 2 } } },
      ['/pipelines/0/limits/a'],
    ],
    [{ pipelines: [{ stages: stages() }], limits: { filed: { concurrency: 1 } } }, ['/limits/filed']],
  ])('%j has its faults where they stand', async (document, paths) => {
    const reply = await send('PUT', '/pipelines/p', document);
    expect(reply.statusCode).toBeGreaterThanOrEqual(400);
    expect(reply.json().errors.map(({ path }: { path: string }) => path)).toEqual(paths);
  });
});

describe('a limiter that is defined elsewhere', () => {
  it.each([
    ['a file', 'filed', { concurrency: 5 }, { concurrency: 6 }, 'is defined otherwise by a definitions file'],
    ['another pipeline', 'one', { concurrency: 1 }, { limit: 1, perSeconds: 1 }, expect.stringContaining('"owner"')],
  ])('by %s may be defined alike, and not otherwise', async (_what, name, same, other, message) => {
    await post('owner', { one: { concurrency: 1 } });
    const before = await limiters();
    expect((await post('p', { [name]: same }, name)).statusCode).toBe(201);
    for (const reply of [
      await post('q', { [name]: other, fresh: { concurrency: 1 } }),
      await put('p', { [name]: other }),
      await put('z', { [name]: other }),
    ]) {
      expect(codeOf(reply)).toEqual([409, 'limiter-conflict']);
      expect(reply.json().errors).toEqual([{ path: `/limits/${name}`, message }]);
    }
    expect(await limiters()).toEqual(before);
    expect((await get(service, '/pipelines/p')).json().definition.limits).toEqual({ [name]: same });
  });

  it('stays while others use it: neither a definition without it nor a removal is accepted', async () => {
    await post('owner', { one: { concurrency: 1 } });
    await post('q', undefined, 'one');
    for (const reply of [await put('owner', {}), await remove('owner'), await remove('owner', '?mode=force')]) {
      expect(codeOf(reply)).toEqual([409, 'limiter-in-use']);
      expect(reply.json()).toMatchObject({ limiter: 'one', detail: expect.stringContaining('the pipeline "q"') });
    }
    expect((await get(service, '/pipelines/owner')).json()).toMatchObject({ state: 'running', definition: { limits: { one: {} } } });
    await put('q', { one: { concurrency: 1 } }, 'one');
    expect((await remove('owner')).statusCode).toBe(204);
    expect(Object.keys(await limiters())).toEqual(['filed', 'one']);
  });
});
