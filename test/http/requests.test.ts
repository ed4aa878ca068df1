import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { create, definition, get, type Service, startService } from './app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService({ bodyLimitBytes: 4096 });
  await create(service, definition('p'));
});
afterEach(() => service[Symbol.asyncDispose]());

const send = (payload: string | Buffer, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  service.app.inject({ method: 'POST', url: '/pipelines/p/feed', payload, headers });

describe('bodies', () => {
  it.each([
    ['broken JSON', '{"items":', 'malformed-json', 400],
    ['an empty document', '', 'invalid-input', 400],
    ['a prototype', '{"items":[{"__proto__":{"a":1}}]}', 'malformed-json', 400],
    ['a constructor', '{"items":[{"constructor":{"prototype":{}}}]}', 'malformed-json', 400],
    ['an infinite number', '{"items":[1e999]}', 'malformed-json', 400],
    ['a lone surrogate', '{"items":["\\ud800"]}', 'malformed-json', 400],
    ['deep nesting', `{"items":[${'['.repeat(1000)}${']'.repeat(1000)}]}`, 'malformed-json', 400],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'malformed-json', 400],
    ['too many bytes', `{"items":["${'x'.repeat(5000)}"]}`, 'body-too-large', 413],
    ['another shape', '[]', 'invalid-input', 400],
    ['an unknown field', '{"items":[],"prio":1}', 'invalid-input', 400],
  ])('refuses %s', async (_name, payload, code, status) => {
    const response = await send(payload as string);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.json()).toMatchObject({ code, status, type: `urn:sluice:problem:${code}`, instance: '/pipelines/p/feed' });
  });

  it('takes a byte order mark and a charset', async () => {
    expect((await send('\ufeff{"items":[1]}', { 'content-type': 'application/json; charset=utf-8' })).statusCode).toBe(202);
  });

  it.each([
    ['text', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['compression', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
    ['nonsense', { 'content-type': '///' }],
  ])('refuses %s with 415', async (_name, headers) => {
    const response = await send('{"items":[]}', headers as Record<string, string>);
    expect(response.statusCode).toBe(415);
    expect(response.json().code).toBe('unsupported-media-type');
  });

  it('takes Content-Encoding identity', async () => {
    expect((await send('{"items":[]}', { 'content-type': 'application/json', 'content-encoding': 'identity' })).statusCode).toBe(202);
  });

  it('minds no encoding where no body is read', async () => {
    const framed = { 'content-encoding': 'x', 'transfer-encoding': 'chunked' };
    for (const headers of [{ 'content-encoding': 'gzip' }, { 'content-encoding': 'x', 'content-length': '0' }, framed]) {
      expect((await service.app.inject({ url: '/tasks', headers })).statusCode).toBe(200);
    }
  });
});

describe('addresses', () => {
  it('answers an unknown one with 404', async () => {
    const response = await get(service, '/nothing?secret=1');
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ code: 'not-found', instance: '/nothing' });
  });

  it('answers a wrong method with 405 and the right ones in Allow', async () => {
    const response = await service.app.inject({ method: 'PATCH', url: '/pipelines/p' });
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe('DELETE, GET, HEAD, PUT');
    expect(response.json().code).toBe('method-not-allowed');
  });

  it.each([
    '/pipelines/a%20b',
    '/pipelines/constructor',
    `/pipelines/${'x'.repeat(129)}`,
    '/pipelines/p/items/a%00',
    '/pipelines/p/items/%zz',
  ])('answers %s with 400', async (url) => {
    const response = await get(service, url);
    expect(response.statusCode).toBe(400);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
  });

  it('finds an item by an id of 512 characters, percent-encoded', async () => {
    const id = '語'.repeat(512);
    await service.host.get('p').run([{ id, value: 1 }], {});
    expect((await get(service, `/pipelines/p/items/${encodeURIComponent(id)}`)).json().id).toBe(id);
    expect((await get(service, `/pipelines/p/items/${encodeURIComponent(`${id}x`)}`)).statusCode).toBe(400);
    expect((await get(service, `/pipelines/p/items/${'x'.repeat(6000)}`)).statusCode).toBe(400);
  });

  it('answers HEAD like GET', async () => {
    const response = await service.app.inject({ method: 'HEAD', url: '/pipelines/p' });
    expect([response.statusCode, response.body]).toEqual([200, '']);
  });
});

describe('identity', () => {
  it('gives every reply an x-request-id, a given one back', async () => {
    for (const url of ['/livez', '/nothing', '/pipelines/nope', '/pipelines/p/items/%zz']) {
      expect((await get(service, url)).headers['x-request-id']).toMatch(/^\S+$/);
      const given = await service.app.inject({ method: 'GET', url, headers: { 'x-request-id': 'mine-1' } });
      expect(given.headers['x-request-id']).toBe('mine-1');
    }
  });

  it('logs a request in one line with its id and trace, without its query', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await service.app.inject({ method: 'GET', url: '/pipelines/nope?ticket=secret', headers: { 'x-request-id': 'mine-2', traceparent } });
    const lines = service.logs.filter((line) => line.reqId === 'mine-2');
    expect(lines).toEqual([
      expect.objectContaining({
        msg: 'refused',
        method: 'GET',
        path: '/pipelines/nope',
        key: null,
        route: '/pipelines/:id',
        status: 400,
        code: 'invalid-input',
        traceparent,
      }),
    ]);
    expect(JSON.stringify(service.logs)).not.toContain('secret');
  });

  it('does not log feeds and probes', async () => {
    const before = service.logs.length;
    await send('{"items":[1]}');
    await get(service, '/livez');
    expect(service.logs.slice(before)).toEqual([]);
  });

  it('makes a logger only for a request that is logged', async () => {
    const made = vi.spyOn(service.app.log, 'child');
    await send('{"items":[1]}');
    expect(made).not.toHaveBeenCalled();
    await get(service, '/pipelines/p');
    expect(made).toHaveBeenCalledOnce();
  });
});

describe('a fault of ours', () => {
  it('is a 500 that says nothing of it, and is logged with the request id', async () => {
    service.host.list = () => Promise.reject(new Error('password is hunter2'));
    const response = await service.app.inject({ method: 'GET', url: '/pipelines', headers: { 'x-request-id': 'mine-3' } });
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ code: 'internal-error', detail: expect.stringContaining('mine-3') });
    expect(response.body).not.toContain('hunter2');
    const logged = service.logs.find((line) => line.msg === 'a request failed');
    expect(logged).toMatchObject({ reqId: 'mine-3', err: { message: 'password is hunter2' } });
  });
});

describe('what is no HTTP', () => {
  let socket: Socket;
  afterEach(() => socket.destroy());

  async function raw(bytes: string): Promise<string> {
    const address = await service.app.listen({ host: '127.0.0.1', port: 0 });
    socket = connect(Number(new URL(address).port), '127.0.0.1');
    socket.end(bytes);
    let text = '';
    for await (const chunk of socket) text += chunk;
    return text;
  }

  it.each([
    ['garbage', 'GARBAGE\r\n\r\n', 400, 'bad-request'],
    ['endless headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
  ])('answers %s with a problem document', async (_name, bytes, status, code) => {
    const [head = '', body = ''] = (await raw(bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/x-request-id: \S+/);
    expect(JSON.parse(body)).toMatchObject({ status, code });
  });
});
