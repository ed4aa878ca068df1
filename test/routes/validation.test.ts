import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
});
afterEach(() => service[Symbol.asyncDispose]());

const check = (payload: string | object, query = '', type = 'application/json') =>
  service.app.inject({ method: 'POST', url: `/pipelines/validate${query}`, headers: { 'content-type': type }, payload });
const yaml = (payload: string, query = '') => check(payload, query, 'application/yaml');

describe('POST /pipelines/validate', () => {
  it('gives the definition back with its defaults, and creates nothing', async () => {
    const response = await check(definition('p'));
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ valid: true, errors: [], definition: { id: 'p', stages: [{ name: 'Only', workers: 1 }] } });
    expect(response.json()).not.toHaveProperty('changes');
    expect((await get(service, '/pipelines')).json().pipelines).toEqual([]);
  });

  it('lists faults of form and of meaning at once', async () => {
    const { valid, errors, ...rest } = (await check({ id: '!', stages: [{ name: 'A', tasks: ['nope'], workers: 0 }] })).json();
    expect([valid, rest]).toEqual([false, {}]);
    expect(errors.map(({ path }: { path: string }) => path).sort()).toEqual(['/id', '/stages/0/tasks/0', '/stages/0/workers']);
  });

  it.each([
    [
      'a mistyped field',
      'id: p\nstages:\n  - name: A\n    tasks: [echo]\n    wrokers: 2\n',
      { path: '/stages/0/wrokers', line: 5, column: 14 },
    ],
    ['an unknown task', 'id: p\nstages:\n  - name: A\n    tasks: [echo, nope]\n', { path: '/stages/0/tasks/1', line: 4, column: 19 }],
    ['a missing field', 'id: p\nstages:\n  - tasks: [echo]\n', { path: '/stages/0/name', line: 3, column: 5 }],
    ['JSON as YAML', '{\n "id": "p",\n "stages": []\n}', { path: '/stages', line: 3, column: 12 }],
  ])('says where in the YAML there is %s', async (_is, text, fault) => {
    const { valid, errors } = (await yaml(text)).json();
    expect([valid, errors]).toEqual([false, [{ ...fault, message: expect.any(String) }]]);
  });

  it.each([
    ['a template without quotes', 'id: p\nstages: {{ value }}', /in quotes/],
    ['two documents', 'id: p\n---\nid: q\n', /2 documents/],
    ['an open bracket', 'id: [', /./],
    ['a hundred thousand open brackets', '['.repeat(100_000), /./],
    [
      'aliases that stand for billions',
      'a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n',
      /alias/,
    ],
    ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe]) as unknown as string, /UTF-8/],
    ['nesting beyond what JSON may have', `id: ${'['.repeat(70)}${']'.repeat(70)}`, /nested deeper/],
  ])('takes %s for a fault', async (_is, text, message) => {
    const response = await yaml(text);
    expect(response.statusCode).toBe(200);
    const { valid, errors } = response.json();
    expect(valid).toBe(false);
    expect(errors[0]).toMatchObject({ path: '', message: expect.stringMatching(message) });
    expect(errors.length).toBeLessThanOrEqual(100);
  });

  it('takes a document of a definitions file, and places faults in it', async () => {
    const text =
      'limits:\n  api: { concurrency: 2 }\npipelines:\n  - id: p\n    stages:\n      - name: A\n        tasks: [{ task: echo, limiter: apy }]\n';
    expect((await yaml(text)).json().errors).toEqual([
      { path: '/pipelines/0/stages/0/tasks/0/limiter', message: 'no limiter "apy" is defined', line: 7, column: 40 },
    ]);
    expect((await yaml(text.replace('apy', 'api'))).json()).toMatchObject({
      valid: true,
      definition: { limits: { api: { concurrency: 2 } } },
    });
  });

  it('says what a PUT would change and where items would go, as the PUT then does', async () => {
    const before = { id: 'p', stages: ['A', 'B', 'C'].map((name) => ({ name, tasks: [name === 'B' ? 'hold' : 'echo'] })) };
    await create(service, before);
    await feed(service, 'p', [1, 2, 3]);
    await service.host.get('p').events.read(0, 1000, { types: new Set(['status']) });
    const after = {
      stages: [
        { name: 'C', tasks: ['echo'], workers: 3 },
        { name: 'A', tasks: ['echo'] },
        { name: 'D', tasks: ['fail'] },
      ],
    };
    const told = (await check(after, '?against=p')).json();
    expect(told).toMatchObject({ valid: true, definition: { id: 'p' }, moved: [{ from: 'B', to: 'C', items: 2, running: 1 }] });
    const put = (await service.app.inject({ method: 'PUT', url: '/pipelines/p', payload: after })).json();
    expect(told).toMatchObject({ changes: put.changes, changedFields: [], moved: put.moved });
    expect((await check(after, '?against=p')).json()).toMatchObject({ changes: [], changedFields: [], moved: [] });
  });

  it.each([
    [['retention'], { retention: { maxItems: 1 } }],
    [['backlogCapacity', 'collectResults'], { collectResults: false, backlogCapacity: 7 }],
    [['description', 'feedOptions'], { description: 'other', feedOptions: { rerun: true } }],
    [['limits'], { limits: { own: { concurrency: 3 } } }],
  ])('says that %j of the pipeline itself would change, as the PUT then does', async (fields, more) => {
    await create(service, definition('p'));
    const after = { ...definition('p'), ...more };
    const told = (await check(after, '?against=p')).json();
    expect(told).toMatchObject({ valid: true, changes: [], moved: [] });
    expect(told.changedFields).toEqual(fields);
    const put = (await service.app.inject({ method: 'PUT', url: '/pipelines/p', payload: after })).json();
    expect(put).toMatchObject({ changes: [], changedFields: told.changedFields });
    expect((await check(after, '?against=p')).json().changedFields).toEqual([]);
  });

  it('tells conflicts with other pipelines as faults', async () => {
    await create(service, { ...definition('p'), limits: { api: { concurrency: 2 } } });
    const { errors } = (await check({ ...definition('q'), limits: { api: { concurrency: 3 } } })).json();
    expect(errors).toEqual([{ path: '/limits/api', message: 'is defined otherwise by the pipeline "p"' }]);
  });

  it('refuses what is no definition to check', async () => {
    expect((await check(definition('p'), '?against=none')).json().code).toBe('pipeline-not-found');
    expect((await check('', '')).json().code).toBe('invalid-input');
    expect((await check('id: p', '', 'application/toml')).json().code).toBe('unsupported-media-type');
    expect((await check({ ...definition('q') }, '?against=nope')).statusCode).toBe(404);
    await create(service, definition('p'));
    expect((await check(definition('q'), '?against=p')).json().errors).toMatchObject([{ path: '/id' }]);
  });
});
