import { hostname } from 'node:os';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { createSecrets } from '../../src/loader/secrets.ts';
import { VERSION } from '../../src/version.ts';
import { httpNotify } from '../../tasks/http_notify.ts';
import { httpRequest } from '../../tasks/http_request.ts';
import { createHttpClient } from '../../tasks/kit/http-client.ts';
import { runDefined } from './defined.ts';
import { serve } from './http-server.ts';
import { faultsIn, use } from './running.ts';

const open = createHttpClient({ allowHosts: ['127.0.0.1'] });
const closed = createHttpClient({ allowHosts: [] });
afterAll(async () => {
  await open.close();
  await closed.close();
});
const task = httpRequest(open);

async function thrownBy(given: unknown, using = task, overrides = {}) {
  return use(
    using,
    given,
    overrides,
  )({ id: 1 }).then(
    (result) => expect.fail(`it answered ${JSON.stringify(result)}`),
    (error: Error) => ({ ...describeThrown(error), name: error.name }),
  );
}

describe('a request', () => {
  it('sends method, headers and a JSON body, and gives status, headers, body and URL', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(201, { 'content-type': 'application/json', 'x-rate': ['1', '2'] });
      response.end('{"made":true}');
    });
    const url = `${server.origin}/things?a=1`;
    const answer = await use(task, { url, method: 'POST', headers: { 'x-key': 'k' }, body: { n: 1 } })(null);
    expect(answer).toMatchObject({ status: 201, url, body: { made: true }, headers: { 'x-rate': '1, 2' } });
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      url: '/things?a=1',
      body: '{"n":1}',
      headers: { 'x-key': 'k', 'content-type': 'application/json' },
    });
  });

  it('sends a text as it is, with the content type that was given', async () => {
    const server = await serve((_request, response) => response.end());
    await use(task, { url: server.origin, method: 'PUT', body: 'a=1', headers: { 'Content-Type': 'text/x' } })(null);
    expect(server.seen[0]).toMatchObject({ body: 'a=1', headers: { 'content-type': 'text/x' } });
  });

  it('says what sends it, unless its definition does', async () => {
    const server = await serve((_request, response) => response.end());
    await use(task, { url: server.origin })(null);
    await use(task, { url: server.origin, headers: { 'User-Agent': 'mine/1' } })(null);
    expect(server.seen.map(({ headers }) => headers['user-agent'])).toEqual([`sluice/${VERSION}`, 'mine/1']);
  });

  it('takes a number and a boolean for a header’s text', async () => {
    const server = await serve((_request, response) => response.end());
    await use(task, { url: server.origin, headers: { 'x-id': 4711, 'x-part': 0.5, 'x-dry': false } })(null);
    expect(server.seen[0]?.headers).toMatchObject({ 'x-id': '4711', 'x-part': '0.5', 'x-dry': 'false' });
    expect(faultsIn(task, { url: server.origin, headers: { 'x-id': null } })).toMatchObject([{ path: '/headers/x-id' }]);
    expect(faultsIn(task, { url: server.origin, headers: { 'x-id': 'a\nb' } })).toMatchObject([{ path: '/headers/x-id' }]);
  });

  it('takes an id that is a number, a text or a boolean in a template for a part of the address, and for a header', async () => {
    const server = await serve((_request, response) => response.end());
    const url = `${server.origin}/{{ $encodeUrlComponent(value.id) }}?{{ $encodeUrl(value.id) }}`;
    const ids = [7, 0.1 + 0.2, true, 'a/ü'];
    const stage = { tasks: [{ task: 'http_request', with: { url, headers: { 'x-id': '{{ $string(value.id) = "7" ? value.id : 1 }}' } } }] };
    const { results } = await runDefined(
      stage,
      ids.map((id, i) => ({ id: `item-${i}`, value: { id } })),
    );
    expect(results.map(({ error }) => error)).toEqual([null, null, null, null]);
    expect(server.seen.map((seen) => seen.url).toSorted()).toEqual(['/0.3?0.3', '/7?7', '/a%2F%C3%BC?a/%C3%BC', '/true?true']);
    expect(server.seen.find((seen) => seen.url === '/7?7')?.headers['x-id']).toBe('7');
  });

  it('goes over a connection that is there already', async () => {
    const server = await serve((_request, response) => response.end('x'));
    const run = use(task, { url: server.origin });
    for (let i = 0; i < 20; i++) await run(null);
    // The second may come before the first connection is known to be free.
    expect(server.connections()).toBeLessThanOrEqual(2);
  });

  it('shows no secret in the address that it gives', async () => {
    const server = await serve((_request, response) => response.end());
    const { mask } = createSecrets({ KEY: 'hunter22 &' });
    const url = `${server.origin}/?key=${encodeURIComponent('hunter22 &')}`;
    const answer = await use(httpRequest(open, mask), { url })(null);
    expect(answer).toMatchObject({ url: `${server.origin}/?key=[secret KEY]` });
    expect(server.seen[0]?.url).toBe('/?key=hunter22%20%26');
  });

  it('puts the answer into the value when it is told where', async () => {
    const server = await serve((_request, response) => response.end());
    expect(await use(task, { url: server.origin, into: 'page' })({ id: 7 })).toMatchObject({ id: 7, page: { status: 200 } });
    expect(await use(task, { url: server.origin, into: 'page' })('text').catch(describeThrown)).toMatchObject({ permanent: true });
  });

  it('is put nowhere where it would be a prototype', () => {
    expect(faultsIn(task, { url: 'http://x.example', into: '__proto__' })).toEqual([{ path: '/into', message: 'must not be "__proto__"' }]);
  });

  it('refuses a body with GET, unknown methods, header names and values that are none', () => {
    const url = 'http://x.example';
    expect(faultsIn(task, { url, body: 1 })).toEqual([{ path: '/body', message: 'cannot be sent with GET' }]);
    for (const bad of [{ method: 'CONNECT' }, { headers: { 'a b': 'x' } }, { headers: { a: 'x\r\ny: z' } }, { timeoutSeconds: 0 }]) {
      expect(faultsIn(task, { url, ...bad })).toHaveLength(1);
    }
  });
});

describe('the body of the answer', () => {
  it.each([
    ['application/json; charset=utf-8', 'auto', '{"a":1}', { a: 1 }],
    ['application/problem+json', 'auto', '[1]', [1]],
    ['text/html', 'auto', '<p>ä</p>', '<p>ä</p>'],
    ['application/octet-stream', 'auto', 'abc', 'YWJj'],
    ['text/plain', 'json', '5', 5],
    ['application/json', 'text', '{"a":1}', '{"a":1}'],
    ['text/plain', 'bytes', 'abc', 'YWJj'],
    ['application/json', 'json', '', null],
  ])('of type %s read as %s: %s', async (type, response, sent, body) => {
    const server = await serve((_request, reply) => reply.writeHead(200, { 'content-type': type }).end(sent));
    expect(await use(task, { url: server.origin, response })(null)).toMatchObject({ body });
  });

  it('is decoded by its charset', async () => {
    const server = await serve((_request, reply) => {
      reply.writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' }).end(Buffer.from([0xe4]));
    });
    expect(await use(task, { url: server.origin })(null)).toMatchObject({ body: 'ä' });
  });

  it('that is no JSON, though it should be, is retried', async () => {
    const server = await serve((_request, reply) => reply.end('<html>busy</html>'));
    expect(await thrownBy({ url: server.origin, response: 'json' })).toMatchObject({ permanent: false });
  });

  it('is unpacked when the server packs it unasked, within the same bound', async () => {
    const packed = gzipSync(Buffer.alloc(100_000, 'a'));
    const server = await serve((_request, reply) => {
      reply.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' }).end(packed);
    });
    const answer = (await use(task, { url: server.origin })(null)) as { body: string };
    expect(answer.body).toHaveLength(100_000);
    expect(await thrownBy({ url: server.origin, maxBytes: 50_000 })).toMatchObject({ name: 'ResponseTooLarge', permanent: true });
  });
});

describe('an integer in the answer that a number cannot hold', () => {
  const answering = (text: string) =>
    serve((_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(text));

  it('is the nearest number, or the item fails at once and says which it was', async () => {
    const server = await answering('{"id":1050118621198921729,"text":"1050118621198921728"}');
    expect(await use(task, { url: server.origin })(null)).toMatchObject({ body: { id: 1050118621198921700 } });
    expect(await thrownBy({ url: server.origin, bigNumbers: 'refuse' })).toMatchObject({
      permanent: true,
      message: expect.stringContaining('holds the integer 1050118621198921729'),
    });
    expect(await use(task, { url: server.origin, bigNumbers: 'refuse', response: 'text' })(null)).toMatchObject({
      body: '{"id":1050118621198921729,"text":"1050118621198921728"}',
    });
  });

  it('is none where it is a text, or a number is written so', async () => {
    const server = await answering('["1050118621198921728",9007199254740992,1.0000000000000001]');
    expect(await use(task, { url: server.origin, bigNumbers: 'refuse' })(null)).toMatchObject({ status: 200 });
  });
});

describe('a status', () => {
  it.each([
    [400, true],
    [404, true],
    [501, true],
    [304, true],
    [429, false],
    [500, false],
    [503, false],
  ])('%i is permanent: %s', async (status, permanent) => {
    const server = await serve((_request, reply) => reply.writeHead(status).end(status === 304 ? undefined : 'the reason'));
    const thrown = await thrownBy({ url: server.origin });
    expect(thrown).toMatchObject({ name: 'HttpStatus', permanent, retryAfterSeconds: undefined });
    expect(thrown.message).toBe(`the server answered ${status}${status === 304 ? '' : ': the reason'}`);
  });

  it('can be named a success, or one to retry', async () => {
    const server = await serve((_request, reply) => reply.writeHead(404).end());
    expect(await use(task, { url: server.origin, successStatuses: [404] })(null)).toMatchObject({ status: 404 });
    expect(await thrownBy({ url: server.origin, retryStatuses: [404] })).toMatchObject({ permanent: false });
  });

  it.each([404, 418, 429, 500])('%i is in the error as a number', async (status) => {
    const server = await serve((_request, reply) => reply.writeHead(status).end());
    expect(await thrownBy({ url: server.origin })).toMatchObject({ name: 'HttpStatus', status });
  });

  it.each([
    [{ 'retry-after': '17' }, 17],
    [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' }, 30],
    [{ 'retry-after': 'Wed, 21 Oct 2020 07:28:30 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
  ])('with %j waits for %s seconds', async (headers, retryAfterSeconds) => {
    const server = await serve((_request, reply) => reply.writeHead(429, headers).end());
    expect(await thrownBy({ url: server.origin })).toMatchObject({ retryAfterSeconds, permanent: false });
  });
});

describe('bounds', () => {
  it('give up a response that never ends, by time', async () => {
    const server = await serve((_request, reply) => void reply.writeHead(200).write('x'));
    expect(await thrownBy({ url: server.origin, timeoutSeconds: 0.05 })).toMatchObject({ name: 'HttpTimeout', permanent: false });
  });

  it('give up a response that never ends, by size', async () => {
    const server = await serve((_request, reply) => {
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (reply.write(chunk));
      };
      reply.on('drain', more);
      more();
    });
    expect(await thrownBy({ url: server.origin, maxBytes: 1_000_000 })).toMatchObject({ name: 'ResponseTooLarge', permanent: true });
  });

  it('give up when the attempt is given up', async () => {
    const controller = new AbortController();
    const server = await serve(() => controller.abort(new Error('cancelled')));
    expect(await thrownBy({ url: server.origin }, task, { signal: controller.signal })).toMatchObject({ message: 'cancelled' });
  });

  it('retry a connection that breaks', async () => {
    const server = await serve((_request, reply) => reply.destroy());
    expect(await thrownBy({ url: server.origin })).toMatchObject({ permanent: false });
  });
});

describe('redirects', () => {
  it('are followed, a POST as a GET without its body', async () => {
    const server = await serve((request, reply) => {
      if (request.url === '/end') reply.end('here');
      else reply.writeHead(302, { location: '/end' }).end();
    });
    const answer = await use(task, { url: `${server.origin}/start`, method: 'POST', body: { a: 1 } })(null);
    expect(answer).toMatchObject({ status: 200, url: `${server.origin}/end` });
    expect(server.seen[1]).toMatchObject({ method: 'GET', body: '' });
    expect(server.seen[1]?.headers['content-type']).toBeUndefined();
  });

  it('keep method and body with 307', async () => {
    const server = await serve((request, reply) => {
      if (request.url === '/end') reply.end();
      else reply.writeHead(307, { location: '/end' }).end();
    });
    await use(task, { url: server.origin, method: 'POST', body: 'b' })(null);
    expect(server.seen[1]).toMatchObject({ method: 'POST', body: 'b' });
  });

  it('end after so many, and with 0 are the answer', async () => {
    const server = await serve((_request, reply) => reply.writeHead(302, { location: '/again' }).end());
    expect(await thrownBy({ url: server.origin, maxRedirects: 3 })).toMatchObject({ permanent: true, message: 'more than 3 redirects' });
    expect(server.seen).toHaveLength(4);
    expect(await use(task, { url: server.origin, maxRedirects: 0, successStatuses: [302] })(null)).toMatchObject({ status: 302 });
  });

  it('to an address that is refused are refused', async () => {
    const inner = await serve((_request, reply) => reply.end('secret'));
    const { port } = new URL(inner.origin);
    const server = await serve((request, reply) =>
      reply.writeHead(302, { location: decodeURIComponent((request.url ?? '').slice(1)) }).end(),
    );
    const onlyFirst = httpRequest(createHttpClient({ allowHosts: [new URL(server.origin).host] }));
    for (const target of [
      `http://127.0.0.1:${port}/`,
      `http://localhost:${port}/`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      'file:///etc/passwd',
    ]) {
      expect(await thrownBy({ url: `${server.origin}/${encodeURIComponent(target)}` }, onlyFirst)).toMatchObject({ permanent: true });
    }
    expect(inner.seen).toHaveLength(0);
  });
});

describe('an address that is not public', () => {
  const spellings = [
    '127.0.0.1',
    '127.1',
    '127.255.255.254',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '127.000.000.001',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '①②⑦.⓪.⓪.①',
    'localhost',
    'LOCALHOST',
    'localhost.',
    '0',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '[fd00::1]',
    '10.0.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '[fd00:ec2::254]',
    hostname(),
  ];
  it.each(spellings)('is refused as %s', async (host) => {
    const server = await serve((_request, reply) => reply.end('inside'));
    const thrown = await thrownBy({ url: `http://${host}:${new URL(server.origin).port}/`, timeoutSeconds: 5 }, httpRequest(closed));
    expect(thrown).toMatchObject({ name: 'AddressRefused', permanent: true });
    expect(server.seen).toHaveLength(0);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.0/8', '127.0.0.1'],
    ['localhost', 'localhost'],
    ['127.0.0.0/8', 'localhost'],
    ['127.0.0.0/8', '[::ffff:127.0.0.1]'],
  ])('is reached when HTTP_ALLOW_HOSTS has %s, as %s', async (allowed, host) => {
    const server = await serve((_request, reply) => reply.end());
    const client = createHttpClient({ allowHosts: [allowed] });
    const answer = await use(httpRequest(client), { url: `http://${host}:${new URL(server.origin).port}/` })(null);
    expect(answer).toMatchObject({ status: 200 });
    await client.close();
  });

  it('is reached at the port that was named alone', async () => {
    const server = await serve((_request, reply) => reply.end());
    const { port } = new URL(server.origin);
    const client = createHttpClient({ allowHosts: [`127.0.0.1:${Number(port) + 1}`] });
    expect(await thrownBy({ url: server.origin }, httpRequest(client))).toMatchObject({ name: 'AddressRefused' });
    await client.close();
  });

  it.each(['ftp://x.example/', 'nonsense', 'http://user:secret@x.example/'])('is not what %s is; that is refused too', async (url) => {
    const { results } = await runDefined({ tasks: [{ task: 'http_request', with: { url: '{{ value }}' } }], taskAttempts: 3 }, [url]);
    expect(results[0]?.error).toMatchObject({ type: 'PermanentError', attempts: 1 });
  });
});

describe('http_notify', () => {
  const info = { sequenceId: 3, feedId: 'f', stage: 'S', attempts: 2, metadata: { m: 1 } };
  const notify = (given: unknown, told: unknown) => {
    const hook = httpNotify(open);
    const params = hook.parseParams(given);
    return hook.prepare?.(params)('item-3', told, info, { pipeline: 'p', params, logger: silentLogger });
  };

  it('tells what has become of the item', async () => {
    const server = await serve((_request, reply) => reply.end());
    await notify({ url: server.origin, headers: { 'x-a': 'b' } }, { v: 1 });
    await notify({ url: server.origin }, new RangeError('too far'));
    const about = { pipeline: 'p', stage: 'S', itemId: 'item-3', sequenceId: 3, feedId: 'f', attempts: 2, metadata: { m: 1 } };
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({ ...about, value: { v: 1 } });
    expect(JSON.parse(server.seen[1]?.body ?? '')).toEqual({ ...about, error: { type: 'RangeError', message: 'too far' } });
    expect(server.seen[0]?.headers['x-a']).toBe('b');
  });

  it('fails, which is logged, when the answer is no success', async () => {
    const server = await serve((_request, reply) => reply.writeHead(500).end());
    await expect(notify({ url: server.origin }, 1)).rejects.toThrow('answered 500');
  });
});
