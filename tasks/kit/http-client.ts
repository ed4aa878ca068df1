import type { IncomingHttpHeaders } from 'node:http';
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
  /** Where to ask to be told that the answer is no longer wanted. */
  onAbort?: ((listener: (reason: unknown) => void) => void) | undefined;
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
  let loading: Promise<Agent> | undefined;
  let agent: Agent | undefined;
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        const exchange = new Exchange(request, resolve, reject);
        if (agent !== undefined) {
          exchange.begin(agent);
          return;
        }
        loading ??= load();
        loading.then((loaded) => exchange.begin(loaded), reject);
      }),
    close: async () => (await loading)?.close(),
  };

  async function load(): Promise<Agent> {
    const undici = await import('undici');
    agent = new undici.Agent({
      connect: guardedConnector(undici.buildConnector, guard),
      connections: CONNECTIONS_PER_ORIGIN,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADERS_MAX_BYTES,
      // The whole exchange has one time limit, its own.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return agent;
  }
}

/**
 * One request, its redirects and its response, as undici hands it over in pieces: a promise and a stream for each step would cost as much
 * again. It settles once, by the end of the response, an error, its time or its signal, whichever is first.
 */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly given: HttpRequest;
  private readonly resolve: (response: HttpResponse) => void;
  private readonly reject: (error: unknown) => void;
  private agent: Agent | undefined;
  private controller: Dispatcher.DispatchController | undefined;
  private readonly late: NodeJS.Timeout;
  private isSettled = false;
  private redirects = 0;

  private url: URL | undefined;
  private method: string;
  private headers: Record<string, string>;
  private body: HttpRequest['body'];

  private status = 0;
  private answered: Record<string, string> = {};
  private chunks: Buffer[] = [];
  private size = 0;

  constructor(given: HttpRequest, resolve: (response: HttpResponse) => void, reject: (error: unknown) => void) {
    const { method, headers, body, timeoutSeconds } = given;
    this.given = given;
    this.resolve = resolve;
    this.reject = reject;
    this.method = method;
    this.headers = headers;
    this.body = body;
    const late = (): void => this.fail(new HttpTimeoutError(`no complete response within ${timeoutSeconds} s`));
    this.late = setTimeout(late, timeoutSeconds * 1000);
    given.onAbort?.((reason) => this.fail(reason));
  }

  begin(agent: Agent): void {
    this.agent = agent;
    this.attempt(() => this.dispatch(checkedUrl(this.given.url)));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.isSettled) controller.abort(new Error('given up before it was sent'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // RFC 9110 15.2: informational ones come before the answer.
    if (status < 200) return;
    this.status = status;
    this.answered = flatten(headers);
    // The headers of an answer to HEAD speak of a body that does not come.
    if (this.method !== 'HEAD' && Number(this.answered['content-length'] ?? 0) > this.given.maxBytes)
      this.fail(tooLarge(this.given.maxBytes));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.size += chunk.length;
    if (this.size > this.given.maxBytes) this.fail(tooLarge(this.given.maxBytes));
    else this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.attempt(() => {
      const { location } = this.answered;
      if (REDIRECTS.has(this.status) && location !== undefined && this.given.maxRedirects > 0) this.redirect(location);
      else this.succeed();
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  private dispatch(url: URL): void {
    if (this.isSettled) return;
    this.url = url;
    const { method, headers, body } = this;
    const path = url.pathname + url.search;
    (this.agent as Agent).dispatch(
      { origin: url.origin, path, method: method as Dispatcher.HttpMethod, headers, body: body ?? null },
      this,
    );
  }

  private redirect(location: string): void {
    if (++this.redirects > this.given.maxRedirects) throw new PermanentError(`more than ${this.given.maxRedirects} redirects`);
    const from = this.url as URL;
    const target = checkedUrl(location, from);
    // RFC 9110 15.4: what a 303 points to is read; 301 and 302 are treated so for a POST, as every client does.
    const becomesGet = (this.status === 303 && this.method !== 'HEAD') || (this.method === 'POST' && this.status <= 302);
    if (becomesGet) {
      this.method = 'GET';
      this.body = undefined;
      this.headers = without(this.headers, BODY_HEADERS);
    }
    if (target.origin !== from.origin) this.headers = without(this.headers, PRIVATE_HEADERS);
    this.chunks = [];
    this.size = 0;
    this.dispatch(target);
  }

  private succeed(): void {
    const { chunks, status, answered: headers, size } = this;
    const received = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
    const body = decompress(received, headers['content-encoding'], this.given.maxBytes);
    this.settle();
    this.resolve({ status, headers, body, url: (this.url as URL).href });
  }

  private fail(error: unknown): void {
    if (this.isSettled) return;
    this.settle();
    this.reject(error);
    this.controller?.abort(error as Error);
  }

  private settle(): void {
    this.isSettled = true;
    clearTimeout(this.late);
  }

  private attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }
}

function tooLarge(maxBytes: number): Error {
  return new ResponseTooLargeError(`the response is larger than ${maxBytes} bytes`);
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

/** None is asked for, but some servers send one all the same. */
function decompress(body: Buffer, encoding: string | undefined, maxBytes: number): Buffer {
  if (encoding === undefined || encoding === 'identity' || body.length === 0) return body;
  const unpack = { gzip: gunzipSync, 'x-gzip': gunzipSync, deflate: inflateSync, br: brotliDecompressSync }[encoding.toLowerCase()];
  if (unpack === undefined) throw new PermanentError(`the response has the content encoding "${encoding}", which was not asked for`);
  try {
    return unpack(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(maxBytes);
    }
    throw error;
  }
}

function flatten(headers: IncomingHttpHeaders): Record<string, string> {
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
