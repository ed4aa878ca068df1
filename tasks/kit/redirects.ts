import { RedirectRefusedError } from './http-trouble.ts';
import { checkedUrl } from './http-url.ts';

/** A request as it goes out; a redirect makes another one of it. */
export interface Outgoing {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The headers that another origin may see. They describe the wanted answer and nothing about who wants it; any other header, whatever it is
 * called, may be a key.
 */
const HEADERS_FOR_ALL: ReadonlySet<string> = new Set(['accept', 'accept-encoding', 'accept-language', 'cache-control', 'user-agent']);
/** Methods that change nothing, so that a server may redirect them anywhere. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** They belong to a body that is no longer sent. */
const BODY_HEADERS: ReadonlySet<string> = new Set(['content-type', 'content-length', 'content-encoding', 'transfer-encoding']);

export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/**
 * The request that follows a redirect. Within an origin it is the same one, as `fetch` would make it. To another origin go a few harmless
 * headers and no body, never from https: to http:, and nothing at all when the request holds a secret, wherever in it and whatever was
 * made of it: a server must not be able to have our keys sent to a place of its choice.
 *
 * Throws a {@link RedirectRefusedError} for one that is not followed. What was left out is gone: it is not sent again when a later
 * redirect leads back.
 */
export function redirected(request: Outgoing, status: number, location: string | string[], hasSecrets: () => boolean): Outgoing {
  const refuse = (why: string): RedirectRefusedError =>
    new RedirectRefusedError(`the redirect (${status}) is not followed: ${why}`, { from: request.url.origin, status, location });
  // RFC 9110 15.4 knows one; of two, each client would take another.
  if (typeof location !== 'string') throw refuse('it has several Location headers');
  const url = checkedUrl(asBytes(location), request.url, refuse);
  const next = { ...request, url };
  // RFC 9110 15.4: what a 303 points to is read; 301 and 302 are treated so for a POST, as every client does.
  if (status === 303 || (request.method === 'POST' && status <= 302)) {
    next.method = request.method === 'HEAD' ? 'HEAD' : 'GET';
    next.body = undefined;
    next.headers = headersOf(request, (name) => !BODY_HEADERS.has(name));
  }
  if (isSameOrigin(url, request.url)) return next;
  if (request.url.protocol === 'https:' && url.protocol === 'http:') throw refuse('it leads from https: to http:');
  if (hasSecrets()) throw refuse('it leads to another origin, and the request holds a secret');
  if (next.body !== undefined) throw refuse('it leads to another origin, and the request has a body');
  if (!SAFE_METHODS.has(next.method)) throw refuse(`it leads to another origin, and the request is a ${next.method}`);
  return { ...next, headers: headersOf(next, (name) => HEADERS_FOR_ALL.has(name)) };
}

/**
 * Case, default ports and IDNA are the same in both by now. A name that ends in the dot of the root is another one: without it a resolver
 * may put a domain of its own behind it.
 */
export function isSameOrigin(a: URL, b: URL): boolean {
  return a.origin === b.origin;
}

/**
 * A header arrives with a character for each byte. One beyond ASCII is not part of a URL, and servers mean the byte: of an address in UTF-8 this is
 * what any client makes of it.
 */
function asBytes(location: string): string {
  return location.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

function headersOf({ headers }: Outgoing, isKept: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isKept(name.toLowerCase())));
}
