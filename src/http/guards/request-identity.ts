import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Sane enough to be logged and sent back: no spaces, no control characters, not long. */
const REQUEST_ID = /^[A-Za-z0-9._~:@/+=-]{1,128}$/;
/** https://www.w3.org/TR/trace-context/#traceparent-header, whatever its version; all-zero ids are invalid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.{0,256})?$/;

const processPart = randomBytes(6).toString('base64url');
let count = 0;

/** Unique over processes: a random part for this one, then a counter. */
export const newRequestId = (): string => `${processPart}-${(++count).toString(36)}`;

/** The caller's `x-request-id` when it is sane, or a new one. */
export function requestIdOf(request: { headers: IncomingMessage['headers'] }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : newRequestId();
}

/** The caller's `traceparent` when it is valid: it goes into every log line of the request. */
export function traceOf(headers: IncomingMessage['headers']): { traceparent: string } | undefined {
  const given = headers.traceparent;
  return typeof given === 'string' && TRACEPARENT.test(given) ? { traceparent: given } : undefined;
}
