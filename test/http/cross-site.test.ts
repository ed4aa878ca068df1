import { describe, expect, it } from 'vitest';
import { startService } from './app-harness.ts';

const HOST = 'localhost:3000';
const elsewhere: Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site', origin: 'http://localhost:8080' },
  { origin: 'https://example.com' },
  { origin: 'http://localhost:3001' },
  { origin: 'null' },
];
const allowed: Record<string, string>[] = [
  {},
  { 'sec-fetch-site': 'same-origin', origin: `http://${HOST}` },
  { 'sec-fetch-site': 'none' },
  { origin: `http://${HOST}` },
];

describe('a request that a web page makes a browser send', () => {
  it.each(elsewhere)('changes nothing when the page is of another origin: %j', async (headers) => {
    const service = await startService();
    for (const [method, url] of [
      ['POST', '/shutdown'],
      ['POST', '/pipelines'],
      ['DELETE', '/pipelines/p'],
    ] as const) {
      const reply = await service.app.inject({ method, url, headers: { host: HOST, ...headers } });
      expect(reply.statusCode).toBe(403);
      expect(reply.json()).toMatchObject({ code: 'cross-site-request' });
    }
    expect(service.shutdowns).toEqual([]);
    await service[Symbol.asyncDispose]();
  });

  it.each(allowed)('is taken otherwise: %j', async (headers) => {
    const service = await startService();
    const reply = await service.app.inject({ method: 'POST', url: '/shutdown', headers: { host: HOST, ...headers } });
    expect(reply.statusCode).toBe(202);
    await service[Symbol.asyncDispose]();
  });

  it('may look, as far as the browser lets the page see the answer', async () => {
    const service = await startService();
    const reply = await service.app.inject({ url: '/pipelines', headers: { host: HOST, 'sec-fetch-site': 'cross-site' } });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['access-control-allow-origin']).toBeUndefined();
    await service[Symbol.asyncDispose]();
  });
});
