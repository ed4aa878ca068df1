/** JSON documents in the coding that `Accept-Encoding` prefers; streams and small ones as they are. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressDocuments } from '../../src/http/routing/compression.ts';
import { feed, run, type Service, startService } from './app-harness.ts';

let service: Service;
beforeAll(async () => {
  service = await startService();
  for (const id of ['p', 'small']) await service.host.create({ id, stages: [{ name: 'S', tasks: ['echo'] }] });
  const items = Array.from({ length: 300 }, (_, i) => ({ id: `item-${i}`, note: 'ä'.repeat(50) }));
  await feed(service, 'p', items, { feedId: 'f' });
  await service.host.get('p').waitForFeed('f', {});
});
afterAll(() => service[Symbol.asyncDispose]());

const LIST = '/pipelines/p/results?limit=200';
const ask = (url: string, encoding?: string, more: Record<string, string> = {}, method: 'GET' | 'HEAD' | 'POST' = 'GET') =>
  service.app.inject({ method, url, headers: { ...(encoding !== undefined && { 'accept-encoding': encoding }), ...more } });

const DECODERS = { br: brotliDecompressSync, gzip: gunzipSync };

describe('a list', () => {
  it.each([
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['GZIP;Q=1.0', 'gzip'],
    ['x-gzip', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['gzip;q=0.001', 'gzip'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
  ])('asked for with %j comes as %s, and says that it depends on that', async (given, coding) => {
    const [plain, packed] = [await ask(LIST), await ask(LIST, given)];
    expect(packed.headers).toMatchObject({
      'content-encoding': coding,
      vary: 'Accept-Encoding',
      'content-type': plain.headers['content-type'],
    });
    expect(packed.headers.etag).toBeUndefined();
    expect(Number(packed.headers['content-length'])).toBe(packed.rawPayload.length);
    expect(packed.rawPayload.length * 4).toBeLessThan(plain.rawPayload.length);
    expect(DECODERS[coding as 'br'](packed.rawPayload).equals(plain.rawPayload)).toBe(true);
    expect(packed.headers.link).toBe(plain.headers.link);
  });

  it.each([undefined, '', 'identity', 'deflate, zstd', 'gzip;q=0', 'br;q=0, gzip;q=0.0', '*;q=0', 'identity, gzip;q=0.5', 'gzip2'])(
    'asked for with %j comes as it is, and says so too',
    async (given) => {
      const { headers, rawPayload } = await ask(LIST, given);
      expect([headers['content-encoding'], headers.vary]).toEqual([undefined, 'Accept-Encoding']);
      expect(JSON.parse(String(rawPayload)).results).toHaveLength(200);
    },
  );

  it('has the same head for HEAD', async () => {
    const [whole, head] = [await ask(LIST, 'gzip'), await ask(LIST, 'gzip', {}, 'HEAD')];
    for (const name of ['content-encoding', 'content-length', 'vary'])
      expect([name, head.headers[name]]).toEqual([name, whole.headers[name]]);
    expect(head.rawPayload).toHaveLength(0);
  });
});

describe('no coding is used for', () => {
  it.each([
    ['a small document', '/pipelines/small', {}],
    ['a list line by line', LIST, { accept: 'application/x-ndjson' }],
    ['results that are followed', '/pipelines/p/feeds/f/results?follow=true', {}],
    ['a problem', '/pipelines/none', {}],
    ['the page of the reference', '/docs/static/swagger-ui.css', {}],
  ])('%s', async (_, url, more) => {
    const { headers } = await ask(url, 'gzip, br', more);
    expect(headers['content-encoding']).toBeUndefined();
  });

  it('the answer to a request that does something', async () => {
    const { headers } = await service.app.inject({
      method: 'POST',
      url: '/pipelines/p/run',
      headers: { 'accept-encoding': 'gzip' },
      payload: { items: ['x'.repeat(10_000)] },
    });
    expect(headers['content-encoding']).toBeUndefined();
    expect((await run(service, 'p', [1])).headers.vary).toBeUndefined();
  });
});

it('a document is compressed from 2048 bytes on', async () => {
  const app = Fastify();
  compressDocuments(app);
  app.get('/:bytes', async ({ params }, reply) => {
    reply.type('application/json; charset=utf-8');
    return JSON.stringify('x'.repeat(Number((params as { bytes: string }).bytes) - 2));
  });
  const codingOf = async (bytes: number) =>
    (await app.inject({ url: `/${bytes}`, headers: { 'accept-encoding': 'br' } })).headers['content-encoding'];
  expect([await codingOf(2047), await codingOf(2048)]).toEqual([undefined, 'br']);
  await app.close();
});
