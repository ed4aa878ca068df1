import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeAll(async () => {
  service = await startService();
  await service.host.create({ id: 'p', stages: [{ name: 'Echo', tasks: ['echo'] }] });
});
afterAll(() => service[Symbol.asyncDispose]());

const client = () => supertest(service.app.server);

describe('every response', () => {
  it.each([
    ['GET', '/pipelines', 200],
    ['GET', '/pipelines/none', 404],
    ['GET', '/nowhere', 404],
    ['PATCH', '/pipelines', 405],
  ] as const)('of %s %s carries x-request-id and has status %i', async (method, path, status) => {
    const response = await client()[method.toLowerCase() as 'get' | 'patch'](path);
    expect(response.status).toBe(status);
    expect(response.headers['x-request-id']).toMatch(/^[\w-]{6,}$/);
  });

  it("keeps the caller's request id", async () => {
    await client().get('/tasks').set('x-request-id', 'my-request-7').expect(200).expect('x-request-id', 'my-request-7');
  });

  it('is problem+json with code, fix and instance when it is an error', async () => {
    const response = await client()
      .get('/pipelines/none/stats')
      .expect(404)
      .expect('content-type', /^application\/problem\+json/);
    expect(response.body).toMatchObject({
      type: 'urn:sluice:problem:pipeline-not-found',
      status: 404,
      code: 'pipeline-not-found',
      instance: '/pipelines/none/stats',
      title: expect.any(String),
      detail: expect.stringContaining('none'),
      fix: expect.any(String),
    });
  });

  // RFC 9110 section 12.5.1 lets a server disregard an Accept that it cannot satisfy; nobody is helped by a 406.
  it.each(['text/html', 'application/xml, text/*;q=0.5', 'application/json;q=0'])(
    'is JSON even to who accepts %s alone',
    async (accept) => {
      await client()
        .get('/pipelines/p/results')
        .set('accept', accept)
        .expect(200)
        .expect('content-type', /^application\/json/);
    },
  );

  it('names the methods that an address takes when it refuses one', async () => {
    const response = await client().put('/tasks').expect(405);
    expect(response.headers.allow).toContain('GET');
  });
});

describe('a body', () => {
  it.each([
    ['text/plain', 'hello'],
    ['application/xml', '<a/>'],
    ['application/x-www-form-urlencoded', 'a=b'],
  ])('of type %s is refused with 415', async (type, body) => {
    const response = await client().post('/pipelines/p/run').set('content-type', type).send(body).expect(415);
    expect(response.body.code).toBe('unsupported-media-type');
  });

  it('that is compressed is refused with 415', async () => {
    await client()
      .post('/pipelines/p/run')
      .set('content-type', 'application/json')
      .set('content-encoding', 'gzip')
      .send(JSON.stringify({ items: [] }))
      .expect(415);
  });

  it.each(['{"items":[1,}', '', '{"items":', 'nul', '[1'])('of broken JSON %j is a 400', async (body) => {
    const response = await client().post('/pipelines/p/run').set('content-type', 'application/json').send(body);
    expect(response.status).toBe(400);
    expect(response.body.code).toMatch(/^(malformed-json|invalid-input)$/);
  });

  it('nested a hundred thousand times is a 400', async () => {
    const body = `{"items":[${'['.repeat(100_000)}${']'.repeat(100_000)}]}`;
    const response = await client().post('/pipelines/p/run').set('content-type', 'application/json').send(body);
    expect(response.status).toBe(400);
  });

  it.each(['{"items":[{"__proto__":{"a":1}}]}', '{"items":[{"constructor":{"prototype":{"a":1}}}]}'])(
    'that would poison a prototype, %s, is a 400',
    async (body) => {
      await client().post('/pipelines/p/run').set('content-type', 'application/json').send(body).expect(400);
    },
  );
});
