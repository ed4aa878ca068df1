import { PermanentError } from '../../src/engine/index.ts';

/*
 * Errors of a request. Their text appears in results and events, where the sender of the item may read it: it names the host
 * that was asked for and what kind of trouble it was, never an address that a name resolved to, nor where a server wanted to send us.
 * That is in `forLog`.
 */

/** Details of an error for the log only. */
export interface ForLog {
  /** `warn` for what somebody may have tried on purpose, `debug` for what the network does every day. */
  readonly level: 'warn' | 'debug';
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The request would leave the network that tasks may reach. Trying again would be refused again. */
export class AddressRefusedError extends PermanentError {
  override name = 'AddressRefused';
  readonly forLog: ForLog;
  /** Without a host: it is not the one that was asked for, but one that a server named in a redirect. */
  constructor(host: string | undefined, fields: Record<string, unknown>) {
    super(
      host === undefined
        ? 'a redirect leads to a host that is not allowed: HTTP_ALLOW_HOSTS does not name it'
        : `the host "${host}" is not allowed: HTTP_ALLOW_HOSTS does not name it`,
    );
    this.forLog = { level: 'warn', fields };
  }
}

/** A redirect that is not followed. The server would answer the same again. */
export class RedirectRefusedError extends PermanentError {
  override name = 'RedirectRefused';
  readonly forLog: ForLog;
  constructor(message: string, fields: Record<string, unknown>) {
    super(message);
    this.forLog = { level: 'warn', fields };
  }
}

/** The exchange took longer than its `timeoutSeconds`. */
export class HttpTimeoutError extends Error {
  override name = 'HttpTimeout';
}

/** The response is larger than `maxBytes`, or its headers are larger than any should be. */
export class ResponseTooLargeError extends PermanentError {
  override name = 'ResponseTooLarge';
}

/** The response is not what it claims to be. A retry may succeed. */
export class BrokenResponseError extends Error {
  override name = 'BrokenResponse';
}

/** The response can never be accepted. A retry is useless. */
export class RefusedResponseError extends PermanentError {
  override name = 'RefusedResponse';
}

/** The connection did not come about, or broke. It has no `cause`: that is shown with an error, and would name addresses. */
class HttpConnectionError extends Error {
  override name = 'HttpConnection';
  readonly code: string;
  readonly forLog: ForLog;
  constructor(host: string | undefined, code: string, cause: Error) {
    super(`the request to ${host === undefined ? 'the host of a redirect' : `"${host}"`} failed: ${wordsFor(code)} (${code})`);
    this.code = code;
    this.forLog = { level: 'debug', fields: { cause: textsOf(cause) } };
  }
}

export function forLogOf(error: unknown): ForLog | undefined {
  return error instanceof AddressRefusedError || error instanceof RedirectRefusedError || error instanceof HttpConnectionError
    ? error.forLog
    : undefined;
}

export function tooLarge(maxBytes: number): Error {
  return new ResponseTooLargeError(`the response is larger than ${maxBytes} bytes`);
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'the connection was refused'],
  ['ECONNRESET', 'the connection was reset'],
  ['EPIPE', 'the connection was closed'],
  ['UND_ERR_SOCKET', 'the connection was closed'],
  ['ETIMEDOUT', 'the connection took too long'],
  ['UND_ERR_CONNECT_TIMEOUT', 'the connection took too long'],
  ['ENOTFOUND', 'the name is not known'],
  ['EAI_AGAIN', 'the name could not be looked up'],
  ['EHOSTUNREACH', 'the host cannot be reached'],
  ['ENETUNREACH', 'the host cannot be reached'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'the response is not as long as it says'],
]);

function wordsFor(code: string): string {
  if (code === 'HTTP_PARSER') return 'the response is no HTTP/1.1';
  if (/CERT|SIGNATURE|ALTNAME|ISSUER/.test(code)) return 'the certificate is not accepted';
  return WORDS.get(code) ?? 'the connection broke';
}

/**
 * An error of undici, of the socket or of the resolver, whose texts name addresses and certificates' names, as one that may be shown.
 * Our own errors, and the reasons of an abort, stay as they are.
 */
export function presentable(error: unknown, host: string | undefined, headersMaxBytes: number): unknown {
  if (!(error instanceof Error)) return error;
  const code = codeOf(error);
  if (code === undefined) return error;
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new ResponseTooLargeError(`the headers of the response are larger than ${headersMaxBytes} bytes`);
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    return new PermanentError(`the request cannot be sent: ${error.message}`);
  }
  return new HttpConnectionError(host, code, error);
}

/** Undefined for errors that are not theirs. */
function codeOf(error: Error & { code?: unknown }): string | undefined {
  // The one error of undici that may come without.
  if (error.name === 'HTTPParserError') return 'HTTP_PARSER';
  if (typeof error.code !== 'string') return undefined;
  return /^[A-Z][A-Z0-9_]{1,63}$/.test(error.code) ? error.code : 'UNKNOWN';
}

/** The codes of an error and of its parts: if several addresses were tried, each has an error of its own. */
function textsOf(error: Error): string[] {
  const inner = error instanceof AggregateError ? (error.errors as Error[]) : [];
  return [error, ...inner].map(({ message }) => message).filter((message) => message !== '');
}
