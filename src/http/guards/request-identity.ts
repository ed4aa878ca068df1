import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { readTraceContext, type TraceContext } from '../../schemas/trace-context.ts';

/** Sane enough to be logged and sent back: no spaces, no control characters, not long. */
const REQUEST_ID = /^[A-Za-z0-9._~:@/+=-]{1,128}$/;

const processPart = randomBytes(6).toString('base64url');
let count = 0;

/** Unique over processes: a random part for this one, then a counter. */
export const newRequestId = (): string => `${processPart}-${(++count).toString(36)}`;

/** The caller's `x-request-id` when it is sane, or a new one. */
export function requestIdOf(request: { headers: IncomingMessage['headers'] }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : newRequestId();
}

/** The place in a trace that the caller names, if it is valid. */
export function traceOf({ headers: { traceparent, tracestate } }: { headers: IncomingMessage['headers'] }): TraceContext | null {
  return readTraceContext(traceparent, tracestate);
}
