import type { Logger } from '../../src/engine/ports.ts';
import type { TraceContext } from '../../src/schemas/trace-context.ts';

export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string | Uint8Array | undefined;
  /** For the whole exchange, with its redirects. */
  timeoutSeconds: number;
  /** Size limit of the body, both as received and decompressed. */
  maxBytes: number;
  maxRedirects: number;
  /** The definition made it with a secret, in whatever form: then no other origin gets any of it. */
  hasSecrets?: boolean | undefined;
  /** Sent along as `traceparent` and `tracestate`, as far as the redirects stay within the origin, unless the headers have either. */
  trace?: TraceContext | null | undefined;
  /** Gets what an error does not say, with `about` among the fields. */
  log?: { to: Logger; about: object } | undefined;
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
