import { z } from 'zod';

/**
 * Every error code of Sluice, with what it means and what the caller can do.
 * The one catalogue: docs/errors.md is generated from it, src/http/problems/status.ts gives each code its HTTP status. `example` is what
 * such a problem says beyond that, for the descriptions of the API.
 */
export const ERROR_CODES = {
  'malformed-json': {
    title: 'The body is no valid JSON',
    fix: 'Send one well-formed JSON document in UTF-8.',
    example: { detail: "The body is no valid JSON: Expected ',' or '}' after property value in JSON at position 27." },
  },
  'malformed-line': {
    title: 'A line of the NDJSON body cannot be read',
    fix: 'Mend the line that detail names and send the body again from there; the items before it were accepted.',
    example: {
      detail: 'Line 3 is no valid JSON (Unexpected end of JSON input). 2 items before it were accepted.',
      line: 3,
      feedId: 'feed-mwty2h4k7f3a',
      accepted: 2,
      duplicates: 0,
    },
  },
  'invalid-input': {
    title: 'The request breaks the schema of this route',
    fix: 'Correct every place listed in errors.',
    example: {
      detail: 'The query is not as it should be: /limt is an unknown field.',
      errors: [{ path: '/limt', message: 'is an unknown field' }],
    },
  },
  'invalid-pipeline': {
    title: 'The definition contradicts itself',
    fix: 'Correct every place listed in errors.',
    example: {
      detail: '/stages/1/name "Check" is the name of an earlier stage',
      errors: [{ path: '/stages/1/name', message: '"Check" is the name of an earlier stage' }],
    },
  },
  'unknown-task': {
    title: 'The definition names a task, predicate or hook that is not registered',
    fix: 'Use a name from GET /tasks, or add the task to TASKS_DIR.',
    example: {
      detail: '/stages/0/tasks/0 no task "jsonnata" is registered',
      errors: [{ path: '/stages/0/tasks/0', message: 'no task "jsonnata" is registered' }],
    },
  },
  'unknown-stage': {
    title: 'The pipeline has no such stage',
    fix: 'Use a stage name from GET /pipelines/:id.',
    example: { detail: 'the stage "Prise" was not found' },
  },
  'invalid-params': {
    title: 'The parameters of a task do not fit its schema',
    fix: 'Compare them with paramsSchema in GET /tasks.',
    example: {
      detail: '/stages/0/tasks/0/with/expression is required',
      errors: [{ path: '/stages/0/tasks/0/with/expression', message: 'is required' }],
    },
  },
  unauthenticated: {
    title: 'The request has no valid key',
    fix: 'Send "Authorization: Bearer" with a key that API_KEYS names and that has not expired.',
    example: { detail: 'the request has no key that is known here' },
  },
  forbidden: {
    title: 'The key does not allow this',
    fix: 'Use a key with the scope, and for the pipeline, that the detail names.',
    example: { detail: 'the key "dashboard" lacks the scope "feed"' },
  },
  'cross-site-request': {
    title: 'A web page of another origin may not do this',
    fix: 'Send it from a page of the same origin, or from a client that is no browser.',
    example: { detail: 'a web page of another origin sent this' },
  },
  'misdirected-request': {
    title: 'The request was sent to a name that this service does not go by',
    fix: 'Use localhost or an address of loopback, or have the name added to ALLOWED_HOSTS.',
    example: { detail: 'the request was sent to "evil.example", which this service does not go by' },
  },
  'not-found': {
    title: 'There is nothing at this address',
    fix: 'Look at GET /openapi.json for the routes that exist.',
    example: { detail: 'There is no GET /pipeline.' },
  },
  'method-not-allowed': {
    title: 'This address does not take that method',
    fix: 'Use a method that the Allow header names.',
    example: { detail: '/tasks takes GET, HEAD, not PUT.' },
  },
  'pipeline-not-found': {
    title: 'No such pipeline',
    fix: 'Use an id from GET /pipelines.',
    example: { detail: 'no pipeline "orders"' },
  },
  'item-not-found': {
    title: 'No such item, or it is no longer kept',
    fix: 'Use an id from GET /pipelines/:id/items.',
    example: { detail: 'no item "order-4711"' },
  },
  'feed-not-found': {
    title: 'No such feed, or it is no longer kept',
    fix: 'Use the feedId that the feed was answered with.',
    example: { detail: 'no feed "my-batch-7"' },
  },
  'limiter-not-found': {
    title: 'No such limiter',
    fix: 'Use a name from GET /limiters.',
    example: { detail: 'no limiter "openai"' },
  },
  'unknown-limiter': {
    title: 'A definition names a limiter that is not defined',
    fix: 'Use a name from GET /limiters, or define it in the section `limits` of a definitions file.',
    example: { detail: '/stages/0/tasks/0/limiter no limiter "opanai" is defined' },
  },
  'pipeline-exists': {
    title: 'A pipeline of this id exists',
    fix: 'Use another id, or delete the other pipeline first.',
    example: { detail: 'a pipeline "orders" exists' },
  },
  'feed-exists': {
    title: 'A feed of this id exists',
    fix: 'Use another feedId, or leave it out.',
    example: { detail: 'the feed "my-batch-7" exists' },
  },
  'feed-cancelled': {
    title: 'The feed was cancelled and takes no more items',
    fix: 'Feed what is left under another feedId.',
    example: { detail: 'the feed "my-batch-7" was cancelled' },
  },
  'idempotency-key-reused': {
    title: 'Another request was sent under this Idempotency-Key',
    fix: 'Send each request under a key of its own, and a repeated one exactly as it was.',
    example: { detail: 'another request was sent under this Idempotency-Key' },
  },
  'no-longer-kept': {
    title: 'Part of what was asked for is no longer kept',
    fix: 'Read results sooner, or raise the retention of the pipeline; GET /pipelines/:id/feeds/:feedId has the counts.',
    example: { detail: 'results of the feed "my-batch-7" are no longer kept' },
  },
  'duplicate-items': {
    title: 'Items with these ids are known already',
    fix: 'Leave them out, or feed with onDuplicate "skip" or "rerun".',
    example: { detail: '1 ids are known already', ids: ['order-4711'] },
  },
  'already-running': {
    title: 'The pipeline runs already',
    fix: 'Nothing is left to do.',
    example: { detail: 'the pipeline is running' },
  },
  'items-in-flight': {
    title: 'The pipeline has unfinished items',
    fix: 'Wait for them, or repeat with ?mode=drain or ?mode=force.',
    example: { detail: '45 items are unfinished', itemsInFlight: 45 },
  },
  'invalid-state': {
    title: "The pipeline's state forbids this",
    fix: 'Look at its state in GET /pipelines/:id.',
    example: { detail: 'the pipeline is being shut down' },
  },
  'not-running': {
    title: 'The pipeline does not run, and this key may not start it',
    fix: 'Have it started by a key with the scope operate or admin, or feed: that queues the items for its next start.',
    example: { detail: 'the pipeline is stopped, and this key may not start it' },
  },
  draining: {
    title: 'The pipeline is finishing its items and takes no more',
    fix: 'Start it again when it has stopped, then feed.',
    example: { detail: 'the pipeline finishes its items and takes no more' },
  },
  'item-not-final': {
    title: 'The item has not ended yet',
    fix: 'Wait until it is completed, failed or cancelled.',
    example: { detail: 'only a failed item can be retried, this one is in_progress' },
  },
  'item-final': {
    title: 'The item has ended already',
    fix: 'Nothing is left to do.',
    example: { detail: 'the item is completed already' },
  },
  'invalid-cursor': {
    title: 'The cursor does not belong to this list',
    fix: 'Use nextCursor of this list as it was given, or none.',
    example: { detail: 'The cursor was given for other filters.' },
  },
  'invalid-event-id': {
    title: 'That is no event id of this pipeline',
    fix: 'Send the id of an event as it was received, or none.',
    example: { detail: 'The newest event of this pipeline is mf3k2x1a-4711.' },
  },
  'body-too-large': {
    title: 'The body is over the limit',
    fix: 'Send fewer items a request, or NDJSON, which has no limit.',
    example: { detail: 'Request body is too large' },
  },
  'line-too-large': {
    title: 'A line of the NDJSON body is over the limit',
    fix: 'Keep each line under 1 MiB.',
    example: { detail: 'Line 3 is longer than 1048576 bytes. 2 items before it were accepted.' },
  },
  'value-too-large': {
    title: 'An item is over the limit for values',
    fix: 'Send it in smaller parts, or its address in place of its content, or raise MAX_VALUE_BYTES.',
    example: {
      detail: '1 of the items cannot be taken: /items/3 is larger than 16777216 bytes as JSON (MAX_VALUE_BYTES)',
      errors: [{ path: '/items/3', message: 'is larger than 16777216 bytes as JSON (MAX_VALUE_BYTES)' }],
    },
  },
  'unsupported-media-type': {
    title: 'The body has a media type or encoding that this route does not take',
    fix: 'Send application/json or, where the route takes it, application/x-ndjson, without Content-Encoding.',
    example: { detail: 'Content-Encoding "gzip" is not taken; send the body as it is.' },
  },
  'queue-full': {
    title: 'The backlog has no room',
    fix: 'Send again after Retry-After seconds, or with ?wait=; more items at once than backlogCapacity as NDJSON only.',
    example: { detail: '500 items do not fit: the backlog has room for 120 of 100000' },
  },
  'request-timeout': {
    title: 'The request did not arrive in time',
    fix: 'Send the whole request without long breaks.',
    example: { detail: 'The body did not arrive within 60 s.' },
  },
  'shutting-down': {
    title: 'The service is shutting down',
    fix: 'Send again after Retry-After seconds.',
    example: { detail: 'The service is shutting down.' },
  },
  'store-unavailable': {
    title: 'The store cannot be written',
    fix: 'Send again after Retry-After seconds, under the same item ids or Idempotency-Key; GET /readyz says when it can be written again.',
    example: { detail: 'the store cannot be written: the disk is full', accepted: 0 },
  },
  'headers-too-large': {
    title: 'The request headers are over the limit',
    fix: 'Send fewer or shorter headers.',
    example: { detail: 'The request headers are over the limit' },
  },
  'bad-request': {
    title: 'The request is no valid HTTP',
    fix: 'Send a well-formed HTTP/1.1 request.',
    example: { detail: 'The request is no valid HTTP' },
  },
  'internal-error': {
    title: 'Something broke in Sluice',
    fix: 'Look in the log for the request id, and report it.',
    example: { detail: 'The log has more under the request id Zk3v9QxL-1a.' },
  },
} as const satisfies Record<string, { title: string; fix: string; example: ProblemExample }>;

export type ErrorCode = keyof typeof ERROR_CODES;

interface ProblemExample {
  detail: string;
  errors?: readonly Fault[];
  [member: string]: unknown;
}

export const faultSchema = z.object({ path: z.string(), message: z.string() });
/** One thing wrong with an input: a JSON pointer to the place, and what is wrong there. */
export type Fault = z.infer<typeof faultSchema>;

/** RFC 9457 problem details, with a stable `code` and a `fix`. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string(),
    fix: z.string(),
    errors: z.array(faultSchema).optional(),
  })
  .catchall(z.unknown())
  .meta({
    id: 'Problem',
    examples: [
      {
        type: 'urn:sluice:problem:pipeline-not-found',
        title: ERROR_CODES['pipeline-not-found'].title,
        status: 404,
        detail: 'no pipeline "orders"',
        instance: '/pipelines/orders',
        code: 'pipeline-not-found',
        fix: ERROR_CODES['pipeline-not-found'].fix,
      },
    ],
  });
export type Problem = z.infer<typeof problemSchema>;
