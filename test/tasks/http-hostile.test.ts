import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { httpRequest } from '../../tasks/http_request.ts';
import { decodingOf } from '../../tasks/kit/content-coding.ts';
import { createHttpClient } from '../../tasks/kit/http-client.ts';
import { presentable } from '../../tasks/kit/http-trouble.ts';
import { runDefined } from './defined.ts';
import { serve } from './http-server.ts';
import { serveRaw, wire } from './raw-server.ts';
import { use } from './running.ts';

const client = createHttpClient({ allowHosts: ['127.0.0.1', 'localhost'] });
const closed = createHttpClient({ allowHosts: [] });
afterAll(async () => {
  await client.close();
  await closed.close();
});
const task = httpRequest(client);

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

async function answerTo(bytes: Buffer | string, given: object = {}): Promise<Answer> {
  const server = await serveRaw((socket) => socket.end(bytes));
  return (await use(task, { url: server.origin, ...given })(null)) as Answer;
}

async function thrownTo(bytes: Buffer | string, given: object = {}) {
  return answerTo(bytes, given).then(
    (answer) => expect.fail(`it answered ${JSON.stringify(answer)}`),
    (error: Error) => describeThrown(error),
  );
}

const json = (text: string | Buffer) => wire(['content-type: application/json'], text);

describe('a content encoding', () => {
  it.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'valueOf',
    'gzip2',
    'zstd',
    'gzip, gzip',
    'br,deflate',
    Array(50).fill('gzip').join(','),
  ])('that is none fails the item at once: %s', async (coding) => {
    const thrown = await thrownTo(wire([`content-encoding: ${coding}`], gzipSync('x')));
    expect(thrown).toMatchObject({ type: 'RefusedResponse', permanent: true });
    expect(thrown.message).toBe(`the response has the content encoding "${coding.slice(0, 40)}", which was not asked for`);
  });

  it.each([
    ['identity', Buffer.from('abc')],
    [' GZIP ', gzipSync('abc')],
    ['identity, gzip', gzipSync('abc')],
    ['deflate', deflateSync('abc')],
    ['deflate', deflateRawSync('abc')],
    ['', Buffer.from('abc')],
    ['utf-8', Buffer.from('abc')],
    ['UTF-8, gzip', gzipSync('abc')],
    ['br', brotliCompressSync('abc')],
    ['x-gzip', Buffer.concat([gzipSync('a'), gzipSync('bc')])],
  ])('is unpacked: %s', async (coding, body) => {
    expect(await answerTo(wire([`content-encoding: ${coding}`, 'content-type: text/plain'], body))).toMatchObject({ body: 'abc' });
  });

  it.each([
    ['gzip', Buffer.from('no gzip at all')],
    ['gzip', gzipSync('a'.repeat(1000)).subarray(0, 20)],
    ['br', Buffer.from([255, 255, 255])],
    ['deflate', gzipSync('x')],
  ])('that is broken is retried: %s', async (coding, body) => {
    const thrown = await thrownTo(wire([`content-encoding: ${coding}`], body));
    expect(thrown).toMatchObject({ type: 'BrokenResponse', permanent: false });
    expect(thrown.message).toMatch(/^the response is not valid (?:gzip|br|deflate): /);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
  ])('is unpacked up to maxBytes: %s', async (coding, pack) => {
    const bomb = pack(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(1_000_000);
    const before = process.memoryUsage().arrayBuffers;
    const thrown = await thrownTo(wire([`content-encoding: ${coding}`], bomb), { maxBytes: 1_000_000 });
    expect(thrown).toMatchObject({ type: 'ResponseTooLarge', permanent: true });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });

  it('is unpacked outside the event loop', async () => {
    let turns = 0;
    const turn = (): void => {
      turns++;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    const decoding = decodingOf(gzipSync(Buffer.alloc(20_000_000)), 'gzip', 20_000_000);
    expect(await decoding?.decoded).toHaveLength(20_000_000);
    clearImmediate(next);
    expect(turns).toBeGreaterThan(50);
  });

  it('is no longer unpacked when nobody waits for it', async () => {
    const decoding = decodingOf(gzipSync(Buffer.alloc(10_000_000)), 'gzip', 10_000_000);
    decoding?.destroy();
    await expect(decoding?.decoded).rejects.toThrow();
  });
});

describe('JSON that could not be fed', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  it.each([
    ['{"a":{"__proto__":{"isAdmin":true}}}', 'holds the key "__proto__"'],
    ['{"\\u005f_proto__":1}', 'holds the key "__proto__"'],
    ['{"constructor":{"prototype":{"a":1}}}', 'holds the keys "constructor.prototype"'],
    [nested(200), 'is nested deeper than 64 levels'],
    [nested(100_000), 'is nested deeper than 64 levels'],
    ['[1e999]', 'holds a number that is too large'],
    ['["\\ud83d"]', 'holds a lone surrogate, which is not valid Unicode'],
    ['{"\\udc00":1}', 'holds a key with a lone surrogate, which is not valid Unicode'],
  ])('fails the item at once: %.40s', async (text, fault) => {
    for (const given of [{}, { response: 'json' }])
      expect(await thrownTo(json(text), given)).toMatchObject({ type: 'RefusedResponse', permanent: true, message: `the body ${fault}` });
  });

  it.each([
    ['that is no UTF-8', Buffer.from([0x22, 0xe4, 0x22])],
    ['that ends too soon', '{"a":'],
    ['that is none', 'NaN'],
    ['that is nothing but a byte order mark', '\ufeff'],
  ])('%s is retried', async (_, body) => {
    expect(await thrownTo(json(body))).toMatchObject({
      type: 'BrokenResponse',
      permanent: false,
      message: expect.stringMatching(/^the body is not JSON: /),
    });
  });

  it('is let through up to what feeding takes', async () => {
    expect(await answerTo(json(`\ufeff${nested(64)}`))).toMatchObject({ status: 200 });
    expect(await answerTo(json('{"constructor":"Ada","toString":1}'))).toMatchObject({ body: { constructor: 'Ada', toString: 1 } });
  });
});

describe('headers', () => {
  it('may be called anything', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'location', 'retry-after'];
    const lines = [...names, ...names].map((name) => `${name}: x`);
    const { headers } = await answerTo(wire(lines));
    expect(Object.keys(headers).sort()).toEqual(['constructor', 'content-length', 'hasownproperty', 'location', 'retry-after', 'tostring']);
    expect(headers.constructor).toBe('x, x');
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it('that are too many, or too long, fail the item at once', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => `h${i}: x`);
    for (const lines of [many, [`h: ${'x'.repeat(100_000)}`]])
      expect(await thrownTo(wire(lines))).toMatchObject({ type: 'ResponseTooLarge', permanent: true });
    expect(Object.keys((await answerTo(wire(many.slice(0, 5000)))).headers)).toHaveLength(5001);
  });

  it.each(['nonsense', '__proto__', 'constructor', '"', 'x-user-defined', 'utf-16le', 'iso-2022-jp', 'replacement'])(
    'name a charset, or none: %s',
    async (charset) => {
      const { body } = await answerTo(wire([`content-type: text/plain; charset=${charset}`], Buffer.from([0x41, 0xd8, 0x00, 0xd8, 0xff])));
      expect((body as string).isWellFormed()).toBe(true);
    },
  );
});

describe('an answer that is no HTTP', () => {
  it.each([
    ['HTTP/0.9', 'hello\r\n'],
    ['nothing', ''],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a negative length', wire(['content-length: -1'])],
    ['a length that is no number', wire(['content-length: 0x10'])],
    ['two lengths', wire(['content-length: 1', 'content-length: 2'], 'ab')],
    ['a length beside chunks', wire(['content-length: 5', 'transfer-encoding: chunked'], '0\r\n\r\n')],
    ['less than its length', wire(['content-length: 100'], 'abc')],
    ['a chunk without an end', wire(['transfer-encoding: chunked'], 'fffffff\r\nabc')],
    ['a chunk of no length', wire(['transfer-encoding: chunked'], 'x\r\nabc')],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
    ['a go-ahead', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n'],
    ['a zero byte', 'HTTP/1.1 200 OK\r\na: \0\r\n\r\n'],
  ])('is retried: %s', async (_, bytes) => {
    const thrown = await thrownTo(bytes);
    expect(thrown).toMatchObject({ type: 'HttpConnection', permanent: false });
    expect(thrown.message).toMatch(/^the request to "127\.0\.0\.1:\d+" failed: [a-z ,/.01HTP]+ \([A-Z][A-Z_]+\)$/);
  });

  it('says more than was asked for, and the next request is answered all the same', async () => {
    const server = await serveRaw((socket) => {
      socket.write(Buffer.concat([wire([], '', '204 No Content'), wire([], 'smuggled')]));
    });
    for (let i = 0; i < 3; i++) expect(await use(task, { url: server.origin })(null)).toMatchObject({ status: 204, body: '' });
  });

  it('has a status that nobody knows', async () => {
    expect(await thrownTo(wire([], 'x', '999 ?'))).toMatchObject({
      type: 'HttpStatus',
      permanent: true,
      message: 'the server answered 999: x',
    });
    expect(await answerTo(wire([], '', '299 ?'))).toMatchObject({ status: 299 });
  });

  it('ends in trailers, which are left out', async () => {
    const { headers } = await answerTo(
      wire(['transfer-encoding: chunked'], '1\r\na\r\n0\r\n__proto__: x\r\nconstructor: y\r\nconstructor: z\r\n\r\n'),
    );
    expect(headers).toEqual({ 'transfer-encoding': 'chunked' });
  });
});

describe('a server that takes its time', () => {
  it('informs without end', async () => {
    const server = await serveRaw((socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(5000)));
    const thrown = await use(task, { url: server.origin })(null).catch(describeThrown);
    expect(thrown).toMatchObject({ type: 'BrokenResponse', permanent: false, message: 'more than 100 informational responses' });
  });

  it('may inform now and then', async () => {
    expect(await answerTo(`${'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(3)}${wire([], '')}`)).toMatchObject({ status: 200 });
  });

  it.each([
    ['in its status', 'HTTP/1.1 200 '],
    ['in its headers', 'HTTP/1.1 200 OK\r\nx: y'],
    ['in its body', wire(['content-length: 1000000'])],
    ['in its chunks', wire(['transfer-encoding: chunked'], 'fffff\r\n')],
    ['in its trailers', wire(['transfer-encoding: chunked'], '0\r\nx: y')],
  ])('is given up, however it drips %s', async (_, begin) => {
    const server = await serveRaw((socket) => {
      socket.write(begin);
      const drip = setInterval(() => socket.write('a'), 5);
      socket.once('close', () => clearInterval(drip));
    });
    const thrown = await use(task, { url: server.origin, timeoutSeconds: 0.1 })(null).catch(describeThrown);
    expect(thrown).toMatchObject({ type: 'HttpTimeout', permanent: false });
  });
});

describe('an error tells no address', () => {
  const shown = (error: Error, ...host: string[]) => presentable(error, host[0], 1) as Error & { forLog: unknown };
  const made = (code: string, message: string) => Object.assign(new Error(message), { code });

  it.each([
    ['ECONNREFUSED', 'connect ECONNREFUSED 10.0.0.5:80', 'the connection was refused'],
    [
      'UND_ERR_CONNECT_TIMEOUT',
      'Connect Timeout Error (attempted addresses: 10.0.0.5:80, timeout: 10000ms)',
      'the connection took too long',
    ],
    ['EHOSTUNREACH', 'connect EHOSTUNREACH 10.0.0.5:80 - Local (10.0.0.1:4000)', 'the host cannot be reached'],
    ['ENOTFOUND', 'getaddrinfo ENOTFOUND a.internal', 'the name is not known'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', "Host: a.example. is not in the cert's altnames: DNS:db.internal", 'the certificate is not accepted'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate', 'the certificate is not accepted'],
    ['EWHATEVER', 'at 10.0.0.5', 'the connection broke'],
  ])('of %s', (code, message, words) => {
    const error = shown(made(code, message), 'a.example');
    expect(error.message).toBe(`the request to "a.example" failed: ${words} (${code})`);
    expect(error.forLog).toEqual({ level: 'debug', fields: { cause: [message] } });
    expect(shown(made(code, message)).message).toContain('the request to the host of a redirect failed');
  });

  it('of several that were tried', () => {
    const error = shown(
      Object.assign(new AggregateError([made('ECONNREFUSED', 'connect ECONNREFUSED 10.0.0.5:80')], ''), { code: 'ECONNREFUSED' }),
    );
    expect(error.message).not.toContain('10.0.0.5');
    expect(error.forLog).toMatchObject({ fields: { cause: ['connect ECONNREFUSED 10.0.0.5:80'] } });
  });

  it('whatever the code says', () => {
    expect(shown(made('at 10.0.0.5', 'x'), 'a.example').message).toBe('the request to "a.example" failed: the connection broke (UNKNOWN)');
  });

  it('of a name that is refused, and the log has it', async () => {
    const { results, logs } = await runDefined(
      { tasks: [{ task: 'http_request', with: { url: '{{ value }}' } }] },
      ['http://localhost:1/'],
      {
        allowHosts: [],
      },
    );
    expect(results[0]?.error).toMatchObject({
      type: 'AddressRefused',
      message: 'the host "localhost" is not allowed: HTTP_ALLOW_HOSTS does not name it',
    });
    expect(logs).toMatchObject([{ level: 'warn', fields: { host: 'localhost', port: 1, addresses: ['127.0.0.1'], stage: 'S' } }]);
  });

  it('nor where a redirect led', async () => {
    const server = await serve((_request, reply) => reply.writeHead(302, { location: 'http://10.11.12.13/' }).end());
    const { results, logs } = await runDefined({ tasks: [{ task: 'http_request', with: { url: server.origin } }] }, [1]);
    expect(results[0]?.error?.message).toBe('a redirect leads to a host that is not allowed: HTTP_ALLOW_HOSTS does not name it');
    expect(logs).toMatchObject([{ level: 'warn', fields: { host: '10.11.12.13', addresses: ['10.11.12.13'] } }]);
  });

  it('of a closed port that may be reached', async () => {
    // One of the system's that has no service: any other may be taken by somebody.
    const thrown = await use(task, { url: 'http://localhost:2/' })(null).catch(describeThrown);
    expect(thrown).toMatchObject({
      type: 'HttpConnection',
      message: expect.stringMatching(/^the request to "localhost:\d+" failed: [a-z ]+ \(ECONN/),
    });
  });

  it('of TLS that fails', async () => {
    const server = createTlsServer({});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
    const thrown = await use(task, { url })(null).catch(describeThrown);
    expect(thrown).toMatchObject({ type: 'HttpConnection', permanent: false, message: expect.not.stringContaining('127.0.0.1') });
    await new Promise((resolve) => server.close(resolve));
  });

  it('a request that cannot be sent is not tried again', async () => {
    const headers = { 'content-length': 'five' };
    const thrown = await use(task, { url: 'http://localhost:1', method: 'POST', body: 'x', headers })(null).catch(describeThrown);
    expect(thrown).toMatchObject({ permanent: true, message: 'the request cannot be sent: invalid content-length header' });
  });

  it('one that is refused is refused in the same words as a literal', async () => {
    const texts: string[] = [];
    for (const host of ['localhost', '127.0.0.1', '169.254.169.254', '10.0.0.1']) {
      const { message } = describeThrown(await use(httpRequest(closed), { url: `http://${host}/` })(null).catch((error: unknown) => error));
      texts.push(message.replace(host, 'HOST'));
    }
    expect(new Set(texts)).toEqual(new Set(['the host "HOST" is not allowed: HTTP_ALLOW_HOSTS does not name it']));
  });
});
