import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseApiKeys } from '../../src/schemas/api-key.ts';
import { type Service, startService } from './app-harness.ts';

const services: Service[] = [];
async function start(options: Parameters<typeof startService>[0]): Promise<Service> {
  const service = await startService(options);
  services.push(service);
  await service.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['echo'] }] });
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  return service;
}
afterAll(async () => {
  for (const service of services) await service[Symbol.asyncDispose]();
});

/** Sends these bytes and reads what comes until the service ends the connection. */
async function raw(service: Service, head: string): Promise<{ status: number; head: string; body: string }> {
  const socket = connect((service.app.server.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.end(head);
  await once(socket, 'close');
  const [answer = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]), head: answer.toLowerCase(), body };
}

const ask = (service: Service, host: string, line = 'GET /pipelines HTTP/1.1') =>
  raw(service, `${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

const OURS = ['localhost', 'LOCALHOST:3000', 'localhost.', 'localhost.:8080', 'localhost:', 'app.localhost:3000'];
const ADDRESSES = ['127.0.0.1', '127.0.0.1:1', '127.255.3.4:65535', '[::1]', '[::1]:3000'];
const OTHERS = [
  'evil.example',
  'evil.example:3000',
  'evil',
  'localhost.evil.example',
  'evil-localhost',
  'localhost..',
  '127.0.0.1.evil.example',
  '127.0.0.1.nip.io',
  '0.0.0.0',
  '10.0.0.1',
  '192.168.1.7:3000',
  '[::]',
  '[fe80::1]',
  '[127.0.0.1]',
  // Spellings of 127.0.0.1 that a browser resolves itself, and never sends so.
  '127.1',
  '127.0.0.01',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '127.0.0.1.',
  '127。0。0。1',
  '%6cocalhost',
  '',
];
const BROKEN = [
  'localhost:port',
  'localhost:99999',
  'user@localhost',
  'localhost/evil',
  'localhost evil',
  'localhost\\evil',
  '::1',
  '[::1',
];

describe('without keys, on loopback', () => {
  let service: Service;
  beforeAll(async () => {
    service = await start({});
  });

  it.each([...OURS, ...ADDRESSES])('takes a request for %j', async (host) => {
    expect((await ask(service, host)).status).toBe(200);
  });

  it.each(OTHERS)('refuses one for %j', async (host) => {
    const { status, head, body } = await ask(service, host);
    // What is no character of a host name is refused as such.
    expect([421, 400]).toContain(status);
    if (/^[\x21-\x7e]*$/.test(host)) expect(status).toBe(421);
    expect(JSON.parse(body)).toMatchObject({ code: status === 421 ? 'misdirected-request' : 'bad-request', status });
    expect(head).toContain('content-type: application/problem+json');
  });

  it.each(BROKEN)('answers 400 to what is no host: %j', async (host) => {
    expect((await ask(service, host)).status).toBe(400);
  });

  it.each([
    'GET /livez',
    'GET /readyz',
    'GET /docs',
    'GET /docs/static/swagger-ui.css',
    'GET /docs/json',
    'GET /openapi.json',
    'GET /openapi/client.json',
    'GET /events',
    'GET /nowhere',
    'GET /pipelines/%zz',
    `GET /pipelines/p/items/${'x'.repeat(6000)}`,
    'HEAD /pipelines',
    'OPTIONS /pipelines',
    'OPTIONS *',
    'TRACE /pipelines',
    'POST /pipelines/p/pause',
    'DELETE /pipelines/p',
    'POST /shutdown',
  ])('refuses every route to another name: %s', async (line) => {
    expect((await ask(service, 'evil.example', `${line} HTTP/1.1`)).status).toBe(421);
    expect(service.shutdowns).toEqual([]);
    expect((await service.host.get('p').describe()).state).toBe('running');
  });

  it.each([
    ['an absolute target', 'GET http://evil.example/pipelines HTTP/1.1\r\nHost: localhost', 421],
    ['an absolute target of https', 'GET HTTPS://evil.example/pipelines HTTP/1.1\r\nHost: localhost', 421],
    ['an absolute target with a user', 'GET http://localhost@evil.example/pipelines HTTP/1.1\r\nHost: localhost', 400],
    ['an absolute target of its own', 'GET http://localhost/pipelines HTTP/1.1\r\nHost: localhost', 200],
    ['an absolute target of its own, and another Host', 'GET http://localhost/pipelines HTTP/1.1\r\nHost: evil.example', 421],
    ['two lines', 'GET /pipelines HTTP/1.1\r\nHost: localhost\r\nHost: evil.example', 400],
    ['two lines, the other way round', 'GET /pipelines HTTP/1.1\r\nHost: evil.example\r\nhost: localhost', 400],
    ['the same line twice', 'GET /pipelines HTTP/1.1\r\nHost: localhost\r\nHOST: localhost', 400],
    ['two lines, where nothing is', 'GET /nowhere HTTP/1.1\r\nHost: localhost\r\nHost: localhost', 400],
    ['two lines, where nothing can be', 'GET /%zz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example', 400],
    ['no line', 'GET /pipelines HTTP/1.1', 400],
    ['no line, of HTTP/1.0', 'GET /pipelines HTTP/1.0', 421],
    ['another name, of HTTP/1.0', 'GET /pipelines HTTP/1.0\r\nHost: evil.example', 421],
    [
      'names that proxies add',
      'GET /pipelines HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost',
      421,
    ],
  ])('does not let %s get around it', async (_what, head, expected) => {
    const { status, head: answer, body } = await raw(service, `${head}\r\nConnection: close\r\n\r\n`);
    expect(status).toBe(expected);
    if (status !== 200) expect([answer, JSON.parse(body).status]).toEqual([expect.stringContaining('problem+json'), expected]);
  });
});

describe('without keys, with ALLOWED_HOSTS', () => {
  let service: Service;
  beforeAll(async () => {
    service = await start({
      allowedHosts: ['Sluice.example', 'dev.example:8080', '*.intern.example', '10.1.2.3', 'tls.example:443', '::2'],
    });
  });

  it.each([
    ['sluice.example', 200],
    ['SLUICE.example.:3000', 200],
    ['a.sluice.example', 421],
    ['dev.example:8080', 200],
    ['dev.example:8081', 421],
    ['dev.example', 421],
    ['a.intern.example', 200],
    ['b.a.intern.example:9', 200],
    ['intern.example', 421],
    ['evilintern.example', 421],
    ['10.1.2.3:3000', 200],
    ['10.1.2.4', 421],
    ['[::2]', 200],
    ['tls.example', 200],
    ['localhost', 200],
    ['evil.example', 421],
  ])('answers %s with %i', async (host, expected) => {
    expect((await ask(service, host)).status).toBe(expected);
  });
});

describe('without keys, beyond loopback', () => {
  let service: Service;
  beforeAll(async () => {
    service = await start({ host: '0.0.0.0' });
  });

  it.each(['sluice:3000', 'my_service', 'localhost', '10.0.0.1:3000', '[fd00::1]:3000', '0.0.0.0'])(
    'goes by %s: no page can have such a name',
    async (host) => {
      expect((await ask(service, host)).status).toBe(200);
    },
  );

  it.each(['evil.example', 'sluice.default.svc.cluster.local', '2130706433', '0x7f.1', '127.1', ''])('does not go by %j', async (host) => {
    expect((await ask(service, host)).status).toBe(421);
  });

  it('does not go by other short names once ALLOWED_HOSTS has some', async () => {
    const strict = await start({ host: '0.0.0.0', allowedHosts: ['sluice'] });
    for (const [host, expected] of [
      ['sluice:3000', 200],
      ['10.0.0.1', 200],
      ['other', 421],
    ] as const) {
      expect((await ask(strict, host)).status).toBe(expected);
    }
  });

  it('goes by the name that it listens on', async () => {
    const named = await start({ host: 'Box.lan' });
    expect((await ask(named, 'box.lan:3000')).status).toBe(200);
    expect((await ask(named, 'a.box.lan')).status).toBe(421);
  });
});

describe('with keys', () => {
  const key = 'slc_ops_0123456789abcdef';
  let service: Service;
  beforeAll(async () => {
    const { keys } = parseApiKeys(`ops:admin:${createHash('sha256').update(key).digest('hex')}`);
    service = await start({ apiKeys: keys });
  });

  it('every name does, since a page has no key', async () => {
    const head = `GET /pipelines HTTP/1.1\r\nHost: sluice.example\r\nConnection: close\r\n`;
    expect((await raw(service, `${head}Authorization: Bearer ${key}\r\n\r\n`)).status).toBe(200);
    expect((await raw(service, `${head}\r\n`)).status).toBe(401);
    expect((await raw(service, `GET /livez HTTP/1.0\r\n\r\n`)).status).toBe(200);
  });

  it('two lines, none, and what is no host are a 400 all the same', async () => {
    const rest = `Authorization: Bearer ${key}\r\nConnection: close\r\n\r\n`;
    for (const host of ['Host: a.example\r\nHost: a.example\r\n', '', 'Host: a b\r\n']) {
      expect((await raw(service, `GET /pipelines HTTP/1.1\r\n${host}${rest}`)).status).toBe(400);
    }
  });
});

describe('a page that was rebound', () => {
  it('is of the same origin for its browser, and is refused by its name', async () => {
    const service = await start({});
    const headers = { host: 'evil.example:3000', origin: 'http://evil.example:3000', 'sec-fetch-site': 'same-origin' };
    for (const [method, url] of [
      ['POST', '/shutdown'],
      ['DELETE', '/pipelines/p'],
      ['GET', '/pipelines/p/results'],
    ] as const) {
      expect((await service.app.inject({ method, url, headers })).json()).toMatchObject({ code: 'misdirected-request' });
    }
    expect(service.shutdowns).toEqual([]);
  });
});
