import { z } from 'zod';

/**
 * Every error code of Sluice, with what it means and what the caller can do.
 * The one catalogue: docs/errors.md is generated from it, src/http/problems/status.ts gives each code its HTTP status. `example` is what
 * such a problem says beyond that, for the descriptions of the API.
 */
export const ERROR_CODES = {
  'malformed-json': {
    title: 'The body is not valid JSON',
    fix: 'Send one well-formed JSON document in UTF-8.',
    example: { detail: "The body is not valid JSON: Expected ',' or '}' after property value in JSON at position 27." },
  },
  'malformed-line': {
    title: 'A line of the NDJSON body is invalid',
    fix: 'Correct the line named in detail, then send the body again from that line. The items before it were accepted.',
    example: {
      detail: 'Line 3 is not valid JSON (Unexpected end of JSON input). 2 items before it were accepted.',
      line: 3,
      feedId: 'feed-mwty2h4k7f3a-1',
      accepted: 2,
      duplicates: 0,
    },
  },
  'invalid-input': {
    title: 'The request does not match the schema of this route',
    fix: 'Correct every fault listed in errors.',
    example: {
      detail: 'The query is invalid: /limt is an unknown field.',
      errors: [{ path: '/limt', message: 'is an unknown field' }],
    },
  },
  'invalid-pipeline': {
    title: 'The definition contradicts itself',
    fix: 'Correct every fault listed in errors.',
    example: {
      detail: '/stages/1/name "Check" is already the name of an earlier stage',
      errors: [{ path: '/stages/1/name', message: '"Check" is already the name of an earlier stage' }],
    },
  },
  'unknown-task': {
    title: 'The definition names a task, predicate or hook that is not registered',
    fix: 'Use a name listed by GET /tasks, or add the task to TASKS_DIR.',
    example: {
      detail: '/stages/0/tasks/0 no task "jsonnata" is registered',
      errors: [{ path: '/stages/0/tasks/0', message: 'no task "jsonnata" is registered' }],
    },
  },
  'unknown-stage': {
    title: 'The pipeline has no such stage',
    fix: 'Use a stage name shown by GET /pipelines/:id.',
    example: { detail: 'the stage "Prise" was not found' },
  },
  'invalid-params': {
    title: 'The parameters of a task do not match its schema',
    fix: 'Compare them with the paramsSchema of the task in GET /tasks.',
    example: {
      detail: '/stages/0/tasks/0/with/expression is required',
      errors: [{ path: '/stages/0/tasks/0/with/expression', message: 'is required' }],
    },
  },
  unauthenticated: {
    title: 'The request has no valid key',
    fix: 'Send "Authorization: Bearer <key>" with a key that is listed in API_KEYS and has not expired.',
    example: { detail: 'the request carries no known key' },
  },
  'invalid-ticket': {
    title: 'The ticket does not admit to this stream',
    fix: 'Get another ticket from POST …/events/tickets and open the stream with it within 60 s; ?after= with the last event id goes on where the stream ended.',
    example: { detail: 'the ticket is unknown, was used already, or has expired' },
  },
  'too-many-tickets': {
    title: 'The key has too many unused tickets',
    fix: 'Use the tickets, or ask again after Retry-After seconds.',
    example: { detail: 'there are already 1000 unused tickets (MAX_TICKETS_PER_KEY)' },
  },
  'too-many-requests': {
    title: 'The key has sent as many requests as it may',
    fix: 'Send again after Retry-After seconds. RateLimit and RateLimit-Policy in every answer tell how many are left.',
    example: { detail: 'the key "import" has sent 100 requests in 60 s, as many as it may' },
  },
  'too-many-streams': {
    title: 'There are as many open streams as there may be',
    fix: 'Close streams that nobody reads, or open this one again after Retry-After seconds; a ticket is not used up by this answer.',
    example: { detail: 'the key "dashboard" already has 1000 open streams (MAX_STREAMS_PER_KEY)' },
  },
  'too-many-items': {
    title: 'The body holds more items than one request may',
    fix: 'Send fewer items per request, or use NDJSON, which may have any number.',
    example: { detail: 'the body holds 100001 items, more than the 100000 that MAX_ITEMS_PER_REQUEST allows' },
  },
  forbidden: {
    title: 'The key does not allow this',
    fix: 'Use a key with the scope and the pipeline named in detail.',
    example: { detail: 'the key "dashboard" lacks the scope "feed"' },
  },
  'cross-site-request': {
    title: 'Requests from web pages of another origin are not allowed',
    fix: 'Send it from a page of the same origin, or from a client that is not a browser.',
    example: { detail: 'the request was sent by a web page of another origin' },
  },
  'misdirected-request': {
    title: 'The request was sent to a host name that this service does not accept',
    fix: 'Use localhost or a loopback address, or add the name to ALLOWED_HOSTS.',
    example: { detail: 'the request was sent to "evil.example", a host name that this service does not accept' },
  },
  'upgrade-required': {
    title: 'This route answers requests for a WebSocket only',
    fix: 'Connect a hand: start the service with ROLE=hand and OWNER_URL.',
    example: { detail: 'this address is for hands, which open a WebSocket; the request did not ask for one' },
  },
  'not-found': {
    title: 'No route matches this path',
    fix: 'See GET /openapi.json for the routes that exist.',
    example: { detail: 'There is no route GET /pipeline.' },
  },
  'method-not-allowed': {
    title: 'This path does not accept that method',
    fix: 'Use a method listed in the Allow header.',
    example: { detail: '/tasks accepts GET, HEAD, not PUT.' },
  },
  'pipeline-not-found': {
    title: 'No such pipeline',
    fix: 'Use an id listed by GET /pipelines.',
    example: { detail: 'no pipeline "orders"' },
  },
  'item-not-found': {
    title: 'No such item, or it is no longer kept',
    fix: 'Use an id listed by GET /pipelines/:id/items.',
    example: { detail: 'no item "order-4711"' },
  },
  'feed-not-found': {
    title: 'No such feed, or it is no longer kept',
    fix: 'Use the feedId returned when the items were fed.',
    example: { detail: 'no feed "my-batch-7"' },
  },
  'limiter-not-found': {
    title: 'No such limiter',
    fix: 'Use a name listed by GET /limiters.',
    example: { detail: 'no limiter "openai"' },
  },
  'limiter-conflict': {
    title: 'A limiter is defined otherwise elsewhere',
    fix: 'Define it as it is defined there, leave it out of `limits`, or change it there first.',
    example: {
      detail: '/limits/openai is defined otherwise by a definitions file',
      errors: [{ path: '/limits/openai', message: 'is defined otherwise by a definitions file' }],
    },
  },
  'limiter-in-use': {
    title: 'Other pipelines use a limiter that only this definition defines',
    fix: 'Define it in another pipeline that uses it or in a definitions file, or have the others use it no more.',
    example: { detail: 'the limiter "openai" is used by the pipelines "mails", and only this definition defines it' },
  },
  'unknown-limiter': {
    title: 'A definition names a limiter that is not defined',
    fix: 'Use a name listed by GET /limiters, or define it in `limits`, with the pipeline or in a definitions file.',
    example: { detail: '/stages/0/tasks/0/limiter no limiter "opanai" is defined' },
  },
  'pipeline-exists': {
    title: 'A pipeline with this id already exists',
    fix: 'Use another id, or delete the existing pipeline first.',
    example: { detail: 'a pipeline "orders" already exists' },
  },
  'feed-exists': {
    title: 'A feed with this id already exists',
    fix: 'Use another feedId, leave it out, or continue the feed with ?append=true when no other request is sending.',
    example: { detail: 'the feed "my-batch-7" already exists' },
  },
  'feed-cancelled': {
    title: 'The feed was cancelled and accepts no more items',
    fix: 'Feed the remaining items under another feedId.',
    example: { detail: 'the feed "my-batch-7" was cancelled' },
  },
  'idempotency-key-reused': {
    title: 'This Idempotency-Key was used for a different request',
    fix: 'Use a new key for each request, and repeat a request unchanged.',
    example: { detail: 'this Idempotency-Key was used for a different request' },
  },
  'no-longer-kept': {
    title: 'Part of the requested data is no longer kept',
    fix: 'Read results sooner, or raise the retention of the pipeline. GET /pipelines/:id/feeds/:feedId still has the counts.',
    example: { detail: 'some results of the feed "my-batch-7" are no longer kept' },
  },
  'duplicate-items': {
    title: 'Items with these ids already exist',
    fix: 'Leave these items out, or feed with onDuplicate "skip" or "rerun".',
    example: { detail: '1 of the ids already exist', ids: ['order-4711'] },
  },
  'already-running': {
    title: 'The pipeline is already running',
    fix: 'Nothing to do.',
    example: { detail: 'the pipeline is running' },
  },
  'items-in-flight': {
    title: 'The pipeline has unfinished items',
    fix: 'Wait until they end, or repeat with ?mode=drain or ?mode=force.',
    example: { detail: '45 items are unfinished', itemsInFlight: 45 },
  },
  'invalid-state': {
    title: "The pipeline's state does not allow this",
    fix: 'Check its state with GET /pipelines/:id.',
    example: { detail: 'the pipeline is being shut down' },
  },
  'not-running': {
    title: 'The pipeline is not running, and this key may not start it',
    fix: 'Have a key with the scope operate or admin start it, or use feed, which queues the items for the next start.',
    example: { detail: 'the pipeline is stopped, and this key may not start it' },
  },
  draining: {
    title: 'The pipeline is finishing its items and accepts no more',
    fix: 'Wait until it has stopped, start it again, then feed.',
    example: { detail: 'the pipeline is finishing its items and accepts no more' },
  },
  'item-not-final': {
    title: 'The item has not ended yet',
    fix: 'Wait until the item is completed, failed or cancelled.',
    example: { detail: 'only a failed item can be retried; this one is in_progress' },
  },
  'item-final': {
    title: 'The item has already ended',
    fix: 'Nothing to do.',
    example: { detail: 'the item is already completed' },
  },
  'invalid-cursor': {
    title: 'The cursor does not belong to this list',
    fix: 'Pass the nextCursor of this list unchanged, or no cursor.',
    example: { detail: 'The cursor was issued for other filters.' },
  },
  'invalid-event-id': {
    title: 'The event id does not belong to this stream',
    fix: 'Send an event id exactly as it was received, or none.',
    example: { detail: 'An event id has the form <line>-<number>, as in the id line of an event.' },
  },
  'body-too-large': {
    title: 'The body exceeds the size limit',
    fix: 'Send fewer items per request, or use NDJSON, which has no limit.',
    example: { detail: 'Request body is too large' },
  },
  'line-too-large': {
    title: 'A line of the NDJSON body exceeds the size limit',
    fix: 'Keep each line under the limit, which is BODY_LIMIT_BYTES.',
    example: { detail: 'Line 3 is longer than 1048576 bytes. 2 items before it were accepted.' },
  },
  'value-too-large': {
    title: 'An item exceeds the size limit for values',
    fix: 'Send smaller items, send a reference in place of the content, or raise MAX_VALUE_BYTES.',
    example: {
      detail: '1 of the items cannot be accepted: /items/3 is larger than 16777216 bytes as JSON (MAX_VALUE_BYTES)',
      errors: [{ path: '/items/3', message: 'is larger than 16777216 bytes as JSON (MAX_VALUE_BYTES)' }],
    },
  },
  'unsupported-media-type': {
    title: 'This route does not accept the media type or encoding of the body',
    fix: 'Send application/json or, where the route accepts it, application/x-ndjson, without Content-Encoding.',
    example: { detail: 'Content-Encoding "gzip" is not supported; send the body unencoded.' },
  },
  'queue-full': {
    title: 'The backlog has no room',
    fix: 'Send again after Retry-After seconds, or with ?wait=. To send more items than backlogCapacity at once, use NDJSON.',
    example: { detail: '500 items do not match its schema: the backlog has room for 120 of 100000' },
  },
  overloaded: {
    title: 'The service has more to do than it can',
    fix: 'Send again after Retry-After seconds. What was accepted goes on.',
    example: { detail: 'the service has more to do than it can: its event loop is 0.8 s late' },
  },
  'request-timeout': {
    title: 'The request did not arrive in time',
    fix: 'Send the whole request without long pauses.',
    example: { detail: 'The body did not arrive within 60 s.' },
  },
  starting: {
    title: 'The service is starting',
    fix: 'Send again after Retry-After seconds. GET /readyz tells when the service is ready.',
    example: { detail: 'the service is starting' },
  },
  'shutting-down': {
    title: 'The service is shutting down',
    fix: 'Send again after Retry-After seconds.',
    example: { detail: 'The service is shutting down.' },
  },
  'store-unavailable': {
    title: 'The store is not writable',
    fix: 'Send again after Retry-After seconds, with the same item ids or Idempotency-Key. GET /readyz tells when the store is writable again.',
    example: { detail: 'the store is not writable: the disk is full', accepted: 0 },
  },
  'no-owner': {
    title: 'No node that serves is known now',
    fix: 'Nothing was done. Send again after Retry-After seconds, to any node; GET /nodes shows them.',
    example: { detail: 'no node owns the pipelines; the last owner is silent, and another one takes over' },
  },
  'owner-lost': {
    title: 'The node that worked on the request was lost',
    fix: 'It is unknown whether the request was carried out. Send it again where that is safe: a read, a change that sets something, or a feed with the same item ids or Idempotency-Key. Otherwise, look first.',
    example: { detail: 'the owner sluice-0 was lost before it had answered; it is unknown whether it carried the request out' },
  },
  'headers-too-large': {
    title: 'The request headers exceed the size limit',
    fix: 'Send fewer or shorter headers.',
    example: { detail: 'The request headers exceed the size limit' },
  },
  'bad-request': {
    title: 'The request is not valid HTTP',
    fix: 'Send a well-formed HTTP/1.1 request.',
    example: { detail: 'The request is not valid HTTP' },
  },
  'internal-error': {
    title: 'Something broke in Sluice',
    fix: 'Look up the request id in the log, and report the fault.',
    example: { detail: 'See the log, under the request id Zk3v9QxL-1a.' },
  },
} as const satisfies Record<string, { title: string; fix: string; example: ProblemExample }>;

export type ErrorCode = keyof typeof ERROR_CODES;

interface ProblemExample {
  detail: string;
  errors?: readonly Fault[];
  [member: string]: unknown;
}

export const faultSchema = z.object({ path: z.string(), message: z.string() }).meta({ id: 'Fault' });
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
