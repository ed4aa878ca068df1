import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { Agent, buildConnector, Dispatcher } from 'undici';
import { PermanentError } from '../../src/engine/index.ts';
import { type AddressGuard, createAddressGuard } from './address-guard.ts';

/**
 * HTTP for tasks: connections are reused, every one is checked by the {@link AddressGuard}, redirects are followed here, one by one,
 * so that each target is checked too, and what a response may take of time and memory is bounded.
 */
export interface HttpClient {
  /** Rejects with a PermanentError for what would go wrong again, else with any error. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string | Uint8Array | undefined;
  /** For the whole exchange, with its redirects. */
  timeoutSeconds: number;
  /** Of the body, as it came and decompressed. */
  maxBytes: number;
  maxRedirects: number;
  signal: AbortSignal | undefined;
}

export interface HttpResponse {
  status: number;
  /** Names in lower case; a repeated header is one value, joined with `, `. */
  headers: Record<string, string>;
  body: Buffer;
  /** Where the answer came from, after redirects. */
  url: string;
}

export interface HttpClientOptions {
  /** Hosts, addresses and ranges that are not public and may be reached all the same. */
  allowHosts: readonly string[];
}

/** The exchange took longer than its `timeoutSeconds`. */
export class HttpTimeoutError extends Error {
  override name = 'HttpTimeout';
}
/** The response is larger than `maxBytes`. */
export class ResponseTooLargeError extends PermanentError {
  override name = 'ResponseTooLarge';
}

const KEEP_ALIVE_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_MAX_BYTES = 65_536;
/** Enough for any pool of workers; what bounds the load on a host are limiters. */
const CONNECTIONS_PER_ORIGIN = 256;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Not for another origin: they say who we are to the one that was asked. */
const PRIVATE_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization', 'host']);
/** They belong to a body that is no longer sent. */
const BODY_HEADERS = new Set(['content-type', 'content-length', 'content-encoding', 'transfer-encoding']);

export function createHttpClient({ allowHosts }: HttpClientOptions): HttpClient {
  const guard = createAddressGuard(allowHosts);
  // Loaded with the first request: most services send none, and would start a tenth slower.
  let loaded: Promise<{ undici: typeof import('undici'); agent: Agent }> | undefined;
  return { send, close: async () => (await loaded)?.agent.close() };

  async function load() {
    const undici = await import('undici');
    const agent = new undici.Agent({
      connect: guardedConnector(undici.buildConnector, guard),
      connections: CONNECTIONS_PER_ORIGIN,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADERS_MAX_BYTES,
      // The whole exchange has one time limit, below.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return { undici, agent };
  }

  async function send(given: HttpRequest): Promise<HttpResponse> {
    const abort = new AbortController();
    const giveUp = (): void => abort.abort(given.signal?.reason);
    if (given.signal?.aborted === true) giveUp();
    given.signal?.addEventListener('abort', giveUp, { once: true });
    const timeout = setTimeout(
      () => abort.abort(new HttpTimeoutError(`no complete response within ${given.timeoutSeconds} s`)),
      given.timeoutSeconds * 1000,
    );
    try {
      return await follow(given, abort.signal);
    } finally {
      clearTimeout(timeout);
      given.signal?.removeEventListener('abort', giveUp);
    }
  }

  async function follow(given: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    let { method, headers, body } = given;
    let url = checkedUrl(given.url);
    for (let redirects = 0; ; redirects++) {
      const answer = await exchange(url, { method, headers, body, signal, maxBytes: given.maxBytes });
      const { location } = answer.headers;
      if (!REDIRECTS.has(answer.status) || location === undefined || given.maxRedirects === 0) return answer;
      if (redirects >= given.maxRedirects) throw new PermanentError(`more than ${given.maxRedirects} redirects`);
      const target = checkedUrl(location, url);
      // RFC 9110 15.4: what a 303 points to is read; 301 and 302 are treated so for a POST, as every client does.
      const becomesGet = (answer.status === 303 && method !== 'HEAD') || (method === 'POST' && answer.status <= 302);
      if (becomesGet) {
        method = 'GET';
        body = undefined;
        headers = without(headers, BODY_HEADERS);
      }
      if (target.origin !== url.origin) headers = without(headers, PRIVATE_HEADERS);
      url = target;
    }
  }

  async function exchange(
    url: URL,
    { method, headers, body, signal, maxBytes }: Pick<HttpRequest, 'headers' | 'body' | 'method' | 'maxBytes'> & { signal: AbortSignal },
  ): Promise<HttpResponse> {
    guard.checkHost(url.hostname, portOf(url));
    loaded ??= load();
    const { undici, agent } = await loaded;
    const answer = await undici.request(url, {
      dispatcher: agent,
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body ?? null,
      signal,
    });
    const flat = flatten(answer.headers);
    const bytes = await readBody(answer.body, maxBytes);
    return { status: answer.statusCode, headers: flat, body: decompress(bytes, flat['content-encoding'], maxBytes), url: url.href };
  }
}

/** Checks literals before, names while and addresses after connecting. */
function guardedConnector(build: typeof buildConnector, guard: AddressGuard): buildConnector.connector {
  const connect = (host: string, port: number): buildConnector.connector =>
    build({ timeout: CONNECT_TIMEOUT_MS, lookup: guard.lookupFor(host, port) } as buildConnector.BuildOptions);
  return (options, callback) => {
    const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80));
    try {
      guard.checkHost(options.hostname, port);
    } catch (error) {
      callback(error as Error, null);
      return;
    }
    connect(options.hostname, port)(options, (error, socket) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      try {
        guard.checkAddress(socket.remoteAddress, options.hostname, port);
        callback(null, socket);
      } catch (refusal) {
        socket.destroy();
        callback(refusal as Error, null);
      }
    });
  };
}

function checkedUrl(text: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    throw new PermanentError(`"${text.slice(0, 200)}" is no URL`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new PermanentError(`only http: and https: are fetched, not ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw new PermanentError('a URL must not hold a user name or a password');
  return url;
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

async function readBody(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new ResponseTooLargeError(`the response is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
}

/** None is asked for, but some servers send one all the same. */
function decompress(body: Buffer, encoding: string | undefined, maxBytes: number): Buffer {
  if (encoding === undefined || encoding === 'identity' || body.length === 0) return body;
  const unpack = { gzip: gunzipSync, 'x-gzip': gunzipSync, deflate: inflateSync, br: brotliDecompressSync }[encoding.toLowerCase()];
  if (unpack === undefined) throw new PermanentError(`the response has the content encoding "${encoding}", which was not asked for`);
  try {
    return unpack(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ResponseTooLargeError(`the response is larger than ${maxBytes} bytes`);
    }
    throw error;
  }
}

function flatten(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name === '__proto__') continue;
    flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

function without(headers: Record<string, string>, names: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.has(name.toLowerCase())));
}
