import { once } from 'node:events';
import { type IncomingMessage, request as requestOf } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { feed, type Service, startService } from './app-harness.ts';

let service: Service;
let port: number;
beforeAll(async () => {
  service = await startService();
  await service.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['echo'] }] });
  await feed(service, 'p', [{ id: 'a' }], { feedId: 'f' });
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  port = (service.app.server.address() as AddressInfo).port;
});
afterAll(() => service[Symbol.asyncDispose]());

/** The head of an answer; the rest is not waited for. */
async function head(method: string, path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const request = requestOf({ host: '127.0.0.1', port, method, path, headers, agent: false });
  request.end(method === 'POST' ? '{"items":[1]}' : '');
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.destroy();
  return response;
}

const JSON_BODY = { 'content-type': 'application/json' };

describe('every answer', () => {
  it.each([
    ['GET', '/pipelines', {}, 200],
    ['HEAD', '/pipelines/p', {}, 200],
    ['GET', '/livez', {}, 200],
    ['GET', '/openapi.json', {}, 200],
    ['GET', '/docs', {}, 200],
    ['GET', '/docs/', {}, 200],
    ['GET', '/docs/json', {}, 200],
    ['GET', '/docs/static/swagger-ui-bundle.js', {}, 200],
    ['GET', '/docs/static/nothing.js', {}, 404],
    ['GET', '/pipelines/p/results', { accept: 'application/x-ndjson' }, 200],
    ['GET', '/pipelines/p/feeds/f/results?follow=true', {}, 200],
    ['GET', '/pipelines/p/events', {}, 200],
    ['GET', '/events', {}, 200],
    ['POST', '/pipelines/p/feed', JSON_BODY, 202],
    ['POST', '/pipelines/p/run', { ...JSON_BODY, accept: 'text/event-stream' }, 200],
    ['POST', '/pipelines/p/run', { ...JSON_BODY, accept: 'application/x-ndjson' }, 200],
    ['POST', '/pipelines/p/run', { 'content-type': 'text/html' }, 415],
    ['GET', '/nowhere', {}, 404],
    ['PUT', '/tasks', {}, 405],
    ['GET', '/pipelines/none', {}, 404],
    ['GET', '/pipelines/%zz', {}, 400],
    ['GET', '/pipelines', { host: 'evil.example' }, 421],
    ['DELETE', '/pipelines/p', { origin: 'https://evil.example' }, 403],
  ])('says that no page may frame it and no browser guess its type: %s %s %j', async (method, path, headers, status) => {
    const response = await head(method, path, headers);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(response.headers['content-security-policy']).toContain("default-src 'none'");
    expect(response.headers['x-content-type-options']).toBe('nosniff');
    expect(response.headers['x-request-id']).toMatch(/./);
  });

  it('does so when it is to what is no HTTP', async () => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.end('nonsense\r\n\r\n');
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect(text).toContain("frame-ancestors 'none'");
    expect(text).toContain('x-content-type-options: nosniff');
  });
});

describe('an answer', () => {
  it.each([
    ['GET', '/pipelines', {}],
    ['HEAD', '/pipelines/p', {}],
    ['GET', '/pipelines/none', {}],
    ['GET', '/nowhere', {}],
    ['PUT', '/tasks', {}],
    ['GET', '/livez', {}],
    ['GET', '/pipelines/p/results', { accept: 'application/x-ndjson' }],
    ['GET', '/pipelines/%zz', {}],
    ['GET', '/pipelines', { host: 'evil.example' }],
    ['POST', '/pipelines/p/feed', JSON_BODY],
    ['POST', '/events/tickets', {}],
  ])('is not for a cache to keep: %s %s %j', async (method, path, headers) => {
    expect((await head(method, path, headers)).headers['cache-control']).toBe('no-store');
  });

  it.each(['/pipelines/p/events', '/pipelines/p/feeds/f/results?follow=true'])(
    'that goes on is not for a proxy to change either: %s',
    async (path) => {
      expect((await head('GET', path)).headers['cache-control']).toBe('no-store, no-transform');
    },
  );

  it.each(['/openapi.json', '/docs', '/docs/static/swagger-ui.css'])('that is the same for all may be kept: %s', async (path) => {
    expect((await head('GET', path)).headers['cache-control'] ?? '').not.toContain('no-store');
  });
});

describe('the reference page', () => {
  it('works under its own policy: scripts and styles are files of this service, of the right type', async () => {
    for (const address of ['/docs', '/docs/']) {
      const page = await service.app.inject(address);
      const policy = String(page.headers['content-security-policy']);
      expect(policy).toContain("script-src 'self'; style-src 'self'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      const scripts = [...page.body.matchAll(/<script([^>]*)>(.*?)<\/script>/gs)];
      expect(scripts.length).toBeGreaterThan(2);
      for (const [, , inline] of scripts) expect(inline?.trim()).toBe('');
      expect(page.body).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/i);
      const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(
        ([, path]) => new URL(String(path), `http://localhost${address}`),
      );
      expect(files.length).toBeGreaterThan(5);
      for (const { host, pathname } of files) {
        expect(host).toBe('localhost');
        const file = await service.app.inject(pathname);
        const type = /[.](\w+)$/.exec(pathname)?.[1];
        expect([pathname, file.statusCode]).toEqual([pathname, 200]);
        expect(file.headers['content-type']).toMatch({ js: /javascript/, css: /^text\/css/, png: /^image\/png/ }[type as 'js']);
      }
    }
  });

  it('has no bar at the top, whose logos bring styles that the policy does not let in', async () => {
    const script = await service.app.inject('/docs/static/swagger-initializer.js');
    expect(script.body).toContain('"layout":"BaseLayout"');
    expect(script.body).not.toContain('data:image');
  });

  it('asks for the description where the policy lets it', async () => {
    const script = await service.app.inject('/docs/static/swagger-initializer.js');
    expect(script.body).toContain("resolveUrl('./json')");
    expect((await service.app.inject('/docs/json')).json().openapi).toBe('3.1.1');
  });
});
