import type { IncomingHttpHeaders } from 'node:http';
import type { Agent, Dispatcher } from 'undici';
import { PermanentError } from '../../src/engine/index.ts';
import type { TraceContext } from '../../src/schemas/trace-context.ts';
import { VERSION } from '../../src/version.ts';
import { type Decoding, decodingOf } from './content-coding.ts';
import type { HttpRequest, HttpResponse } from './http-message.ts';
import {
  AddressRefusedError,
  BrokenResponseError,
  forLogOf,
  HttpTimeoutError,
  presentable,
  RedirectRefusedError,
  tooLarge,
} from './http-trouble.ts';
import { checkedUrl } from './http-url.ts';
import { isRedirect, type Outgoing, redirected } from './redirects.ts';

export interface ExchangeOptions {
  mask: (text: string) => string;
  /** The bound given to the agent, for error texts. */
  headersMaxBytes: number;
}

/** A text can be made so that looking for secrets in it takes the event loop some microseconds a character. */
const SEARCHED_CHARACTERS = 65_536;
/** A server that sends more of them before its answer has nothing to inform of. */
const INFORMATIONAL_MAX = 100;

/**
 * One request, its redirects and its response, as undici hands it over in pieces: a promise and a stream for each step would cost as much
 * again. It settles once, by the end of the response, an error, its time or its signal, whichever is first.
 */
export class HttpExchange implements Dispatcher.DispatchHandler {
  private readonly given: HttpRequest;
  private readonly options: ExchangeOptions;
  private readonly resolve: (response: HttpResponse) => void;
  private readonly reject: (error: unknown) => void;
  private agent: Agent | undefined;
  private controller: Dispatcher.DispatchController | undefined;
  private decoding: Decoding | undefined;
  private readonly late: NodeJS.Timeout;
  private isSettled = false;
  private redirects = 0;

  private request: Outgoing | undefined;
  private status = 0;
  private informational = 0;
  private location: string | string[] | undefined;
  private answered: Record<string, string> = {};
  private chunks: Buffer[] = [];
  private size = 0;

  constructor(given: HttpRequest, options: ExchangeOptions, resolve: (response: HttpResponse) => void, reject: (error: unknown) => void) {
    const { timeoutSeconds } = given;
    this.given = given;
    this.options = options;
    this.resolve = resolve;
    this.reject = reject;
    const late = (): void => this.fail(new HttpTimeoutError(`no complete response within ${timeoutSeconds} s`));
    this.late = setTimeout(late, timeoutSeconds * 1000);
    given.onAbort?.((reason) => this.fail(reason));
  }

  begin(agent: Agent): void {
    this.agent = agent;
    this.attempt(() => {
      const { url, method, headers, body, trace } = this.given;
      this.dispatch({ url: checkedUrl(url), method, headers: withUserAgent(withTrace(headers, trace)), body });
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.isSettled) controller.abort(new Error('abandoned before it was sent'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // RFC 9110 15.2: informational ones come before the answer.
    if (status < 200) {
      if (++this.informational > INFORMATIONAL_MAX)
        this.fail(new BrokenResponseError(`more than ${INFORMATIONAL_MAX} informational responses`));
      return;
    }
    const { maxBytes } = this.given;
    this.status = status;
    this.location = headers.location;
    this.answered = flatten(headers);
    // The headers of an answer to HEAD speak of a body that does not come.
    if (this.request?.method !== 'HEAD' && Number(this.answered['content-length'] ?? 0) > maxBytes) this.fail(tooLarge(maxBytes));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.size += chunk.length;
    if (this.size > this.given.maxBytes) this.fail(tooLarge(this.given.maxBytes));
    else this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.attempt(() => {
      const { location } = this;
      if (isRedirect(this.status) && location !== undefined && this.given.maxRedirects > 0) this.redirect(location);
      else this.finish();
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  private dispatch(request: Outgoing): void {
    if (this.isSettled) return;
    this.request = request;
    const { url, method, headers, body } = request;
    const path = url.pathname + url.search;
    (this.agent as Agent).dispatch(
      { origin: url.origin, path, method: method as Dispatcher.HttpMethod, headers, body: body ?? null },
      this,
    );
  }

  private redirect(location: string | string[]): void {
    const { maxRedirects } = this.given;
    if (++this.redirects > maxRedirects) throw new PermanentError(`more than ${maxRedirects} redirects`);
    const next = redirected(this.request as Outgoing, this.status, location, () => this.holdsSecrets());
    this.chunks = [];
    this.size = 0;
    this.dispatch(next);
  }

  /**
   * By what the definition says, which holds for whatever an expression has made of a secret; and by what goes out, since a value can
   * hold one that came from elsewhere. Looked at when a redirect leads away, which is seldom.
   */
  private holdsSecrets(): boolean {
    const { url, headers, body, hasSecrets = false } = this.given;
    if (hasSecrets) return true;
    const texts = [url, ...Object.values(headers), typeof body === 'object' ? Buffer.from(body).toString('utf8') : (body ?? '')];
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    if (characters > SEARCHED_CHARACTERS) {
      const why = 'it leads to another origin, and the request is too large to be searched for secrets';
      throw new RedirectRefusedError(`the redirect (${this.status}) is not followed: ${why}`, { status: this.status, characters });
    }
    return texts.some((text) => this.options.mask(text) !== text);
  }

  private finish(): void {
    const { chunks, size, answered } = this;
    const received = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
    this.decoding = decodingOf(received, answered['content-encoding'], this.given.maxBytes);
    if (this.decoding === undefined) this.succeed(received);
    else
      this.decoding.decoded.then(
        (body) => this.succeed(body),
        (error: unknown) => this.fail(error),
      );
  }

  private succeed(body: Buffer): void {
    if (this.isSettled) return;
    const { status, answered: headers, request } = this;
    this.settle();
    this.resolve({ status, headers, body, url: (request as Outgoing).url.href });
  }

  private fail(error: unknown): void {
    if (this.isSettled) return;
    this.settle();
    const shown = this.presentable(error);
    const { log } = this.given;
    const forLog = log && forLogOf(shown);
    if (forLog !== undefined) log?.to[forLog.level]({ ...log.about, ...forLog.fields }, (shown as Error).message);
    this.reject(shown);
    this.controller?.abort(error as Error);
    this.decoding?.destroy();
  }

  /** Where a redirect leads is the server's to know, and not that of whoever fed the item. */
  private presentable(error: unknown): unknown {
    const isRedirected = this.redirects > 0;
    if (isRedirected && error instanceof AddressRefusedError) return new AddressRefusedError(undefined, error.forLog.fields);
    return presentable(error, isRedirected ? undefined : this.request?.url.host, this.options.headersMaxBytes);
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

/** One's own headers go before the place of the request in a trace, and the two of that belong together. */
function withTrace(headers: Record<string, string>, trace: TraceContext | null | undefined): Record<string, string> {
  if (!trace || Object.keys(headers).some((name) => /^trace(?:parent|state)$/i.test(name))) return headers;
  return { ...headers, ...trace };
}

/** Many servers refuse a request that does not say what sends it. */
function withUserAgent(headers: Record<string, string>): Record<string, string> {
  const isGiven = Object.keys(headers).some((name) => name.toLowerCase() === 'user-agent');
  return isGiven ? headers : { ...headers, 'user-agent': `sluice/${VERSION}` };
}

function flatten(headers: IncomingHttpHeaders): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name === '__proto__') continue;
    flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
