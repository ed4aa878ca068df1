/*
 * Room `problems`: errors as RFC 9457 problem details.
 *
 * Holds: Every error response is one, with a code of the catalogue; each code has one status. What is not the caller's fault is logged and
 * told without details.
 * Refuses: to let any other shape of error out.
 */

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import { ERROR_CODES, type ErrorCode, type Problem } from '../../schemas/problem.ts';
import { pathOf } from './path-of.ts';
import { noteRefusal } from './refusals.ts';
import { setCommonHeaders } from './response-headers.ts';
import { STATUS_OF } from './status.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** Our codes for requests that Fastify itself refuses. Its other errors are faults of ours. */
const CODE_OF_FASTIFY: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad-request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed-json',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid-input',
  FST_ERR_NOT_FOUND: 'not-found',
  ECONNRESET: 'bad-request',
};

/** For errors of plugins that say no more than a status. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  404: 'not-found',
  405: 'method-not-allowed',
  408: 'request-timeout',
  413: 'body-too-large',
  415: 'unsupported-media-type',
  431: 'headers-too-large',
};

/** Seconds to wait when the error doesn't say: room may come any moment, a restart takes a while. */
const RETRY_AFTER: Partial<Record<ErrorCode, number>> = {
  'queue-full': 1,
  'too-many-streams': 5,
  starting: 1,
  'shutting-down': 10,
  'no-owner': 2,
  'owner-lost': 2,
};

/** Any thrown value as an error of the catalogue. What isn't known is an `internal-error` with the thrown value as its cause. */
export function toSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const { code, statusCode, message } = (error ?? {}) as Partial<FastifyError>;
  const known = code === undefined ? undefined : CODE_OF_FASTIFY[code];
  // Its message holds the whole address, with the query.
  if (code === 'FST_ERR_BAD_URL') return new SluiceError('bad-request', 'the path is not valid percent-encoding', { cause: error });
  if (known) return new SluiceError(known, message, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new SluiceError(CODE_OF_STATUS[statusCode] ?? 'bad-request', message, { cause: error });
  }
  return new SluiceError('internal-error', undefined, { cause: error });
}

/** The RFC 9457 document of an error. `instance` is the path of the request, without its query, which may hold a secret. */
export function toProblem(error: SluiceError, instance: string, requestId: string): Problem {
  const status = STATUS_OF[error.code];
  const { title } = ERROR_CODES[error.code];
  // A 5xx shows only the text of the catalogue: its message may mention files, hosts or values inside.
  const detail =
    error.code === 'internal-error'
      ? `See the log, under the request id ${requestId}.`
      : status >= 500 && !isForCallers(error)
        ? `${title}.`
        : error.message;
  const members: Problem = {
    type: `urn:sluice:problem:${error.code}`,
    title,
    status,
    detail,
    instance,
    code: error.code,
    fix: error.fix,
    ...(error.errors ? { errors: error.errors } : {}),
  };
  // The standard members come first and are never overwritten.
  return error.code === 'internal-error' ? members : { ...members, ...error.details, ...members };
}

/** Seconds for a `Retry-After` header (RFC 9110 section 10.2.3: whole ones), undefined where trying again is no use. */
export function retryAfterOf(error: SluiceError): number | undefined {
  const seconds = error.retryAfterSeconds ?? RETRY_AFTER[error.code];
  return seconds === undefined ? undefined : Math.max(1, Math.ceil(seconds));
}

/** Fastify's error handler, and its `frameworkErrors` handler. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = hasLeft(thrown, reply) ? new SluiceError('bad-request', undefined, { cause: thrown }) : toSluiceError(thrown);
  const problem = toProblem(error, pathOf(request.url), request.id);
  request.problemCode = error.code;
  if (isRefused(request, reply)) noteRefusal(request, error.code);
  if (problem.status >= 500 && error.code !== 'shutting-down' && !isForCallers(error))
    request.log.error({ err: error.cause ?? error }, 'a request failed');
  const retryAfter = retryAfterOf(error);
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="sluice"');
  if (!reply.hasHeader('x-request-id')) setCommonHeaders(request, reply);
  return reply.code(problem.status).type(PROBLEM_TYPE).send(writeProblem(problem));
}

/** A client that stops reading its answer, or leaves before there is one, is not refused anything; one whose body breaks off is. */
function isRefused({ raw: { complete, headers, socket } }: FastifyRequest, { raw }: FastifyReply): boolean {
  if (raw.headersSent) return false;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return !socket.destroyed || (hasBody && !complete);
}

/** True when the stream of an answer was ended because its client is gone, which is nobody's fault. Other errors are told, client or not. */
function hasLeft(thrown: unknown, { raw }: FastifyReply): boolean {
  return raw.destroyed && (thrown as Partial<FastifyError> | null)?.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** A string, so that no serialiser of the route is asked. */
export const writeProblem = (problem: Problem): string => JSON.stringify(problem);

declare module 'fastify' {
  interface FastifyRequest {
    /** The code of the problem that this request was answered with, for its line in the log. */
    problemCode: ErrorCode | null;
  }
}

const FOR_CALLERS: ReadonlySet<ErrorCode> = new Set(['store-unavailable', 'starting', 'overloaded', 'no-owner', 'owner-lost']);

/** Its message says what a caller may know, and the log has it already. */
function isForCallers({ code }: SluiceError): boolean {
  return FOR_CALLERS.has(code);
}
