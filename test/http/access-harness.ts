import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { BuiltPage, PageFile } from '../../src/http/page/built-page.ts';
import { type ApiKey, parseApiKeys } from '../../src/schemas/api-key.ts';
import { type Service, type ServiceOptions, startService } from './app-harness.ts';

export const secretOf = (name: string, secret = '0123456789abcdef'): string => `slc_${name}_${secret}`;

/** A line of `API_KEYS`: `ci:feed;pipelines=a` becomes one with the digest in its place. */
export function keyLine(short: string, secret?: string): string {
  const [head = '', ...fields] = short.split(';');
  const [name = ''] = head.split(':');
  return [`${head}:${createHash('sha256').update(secretOf(name, secret)).digest('hex')}`, ...fields].join(';');
}

export function keysOf(...short: string[]): ApiKey[] {
  const { keys, faults } = parseApiKeys(short.map((line) => keyLine(line)).join('\n'));
  if (faults.length > 0) throw new Error(faults.join());
  return keys;
}

/** Stands in for the page that a build makes. */
const file = (type: string, text: string): PageFile => ({ type, etag: `"${text.length}"`, identity: Buffer.from(text) });
export const SMALL_PAGE: BuiltPage = {
  document: file('text/html; charset=utf-8', '<!doctype html><script type="module" src="/assets/page.js"></script>'),
  assets: new Map([
    ['page.js', { ...file('text/javascript; charset=utf-8', 'void 0;'), gzip: gzipSync('void 0;'), br: brotliCompressSync('void 0;') }],
  ]),
};

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for the test to assert
  body: any;
}

export interface Guarded extends Service {
  /** Sends a request with the key of this name, if any, and reads the answer; of an event stream its head alone. */
  as(key: string | null, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
}

/** A service with keys that listens, so that streams can be asked for as well. */
export async function startGuarded(apiKeys: ApiKey[], options: Omit<ServiceOptions, 'apiKeys'> = {}): Promise<Guarded> {
  const service = await startService({ page: SMALL_PAGE, ...options, apiKeys });
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = service.app.server.address() as AddressInfo;
  return Object.assign(service, {
    async as(key: string | null, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
      const isText = typeof body === 'string';
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${secretOf(key)}` }),
          ...(body === undefined ? {} : { 'content-type': isText ? 'application/x-ndjson' : 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      });
      const type = response.headers.get('content-type') ?? '';
      if (type.startsWith('text/event-stream') && path.includes('/events')) {
        await response.body?.cancel();
        return { status: response.status, headers: response.headers, body: null };
      }
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text !== '' && /^application\/(problem\+)?json/.test(type) ? JSON.parse(text) : text,
      };
    },
  });
}
