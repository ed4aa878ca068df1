import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, type Service, startService } from '../http/app-harness.ts';
import { eventually } from '../http/sse-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
});
afterEach(() => service[Symbol.asyncDispose]());

describe('POST /shutdown', () => {
  it('answers with the plan, then asks for it', async () => {
    await create(service, { ...definition('p'), start: false });
    await feed(service, 'p', [1, 2]);
    const response = await post(service, '/shutdown', { mode: 'drain', timeoutSeconds: 5 });
    expect(response.statusCode).toBe(202);
    expect(response.json()).toEqual({ mode: 'drain', timeoutSeconds: 5, pipelines: 1, itemsInFlight: 2 });
    await eventually(() => service.shutdowns.length > 0);
    expect(service.shutdowns).toEqual([{ mode: 'drain', timeoutSeconds: 5 }]);
  });

  it('is graceful with the configured time by default', async () => {
    expect((await post(service, '/shutdown')).json()).toMatchObject({ mode: 'graceful', timeoutSeconds: 30 });
  });

  it('refuses other modes and does nothing', async () => {
    expect((await post(service, '/shutdown', { mode: 'now' })).json()).toMatchObject({ status: 400, errors: [{ path: '/mode' }] });
    expect(service.shutdowns).toEqual([]);
  });
});

describe('health', () => {
  it('is alive and ready', async () => {
    expect((await get(service, '/livez')).json()).toEqual({ status: 'ok' });
    expect((await get(service, '/readyz')).json()).toEqual({ status: 'ok' });
  });
});

describe('documentation', () => {
  it('describes every route with its errors', async () => {
    const document = (await get(service, '/openapi.json')).json();
    expect(document.openapi).toMatch(/^3\.1/);
    const operations = Object.entries<Record<string, Record<string, unknown>>>(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
    ) as { name: string; operationId?: string; summary?: string; description?: string; tags?: string[]; responses: object }[];
    expect(operations.length).toBeGreaterThan(25);
    for (const { name, operationId, summary, description, tags, responses } of operations) {
      expect.soft({ operationId, summary, description, tag: tags?.[0] }, name).toEqual({
        operationId: expect.any(String),
        summary: expect.any(String),
        description: expect.any(String),
        tag: expect.any(String),
      });
      expect.soft(Object.keys(responses).length, name).toBeGreaterThan(1);
    }
    expect(new Set(operations.map((operation) => operation.operationId)).size).toBe(operations.length);
  });

  it('refers only to components that it has', async () => {
    const text = (await get(service, '/openapi.json')).body;
    const { components } = JSON.parse(text);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) expect(components.schemas).toHaveProperty(String(name));
    expect(text).not.toMatch(/\$defs|def-\d/);
  });

  it('has a page', async () => {
    const response = await get(service, '/docs/');
    expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  });
});
