import { z } from 'zod';

/**
 * Every error code of Sluice, with what it means and what the caller can do.
 * The one catalogue: docs/errors.md is generated from it, src/http/status.ts gives each code its HTTP status.
 */
export const ERROR_CODES = {
  'malformed-json': { title: 'The body is no valid JSON', fix: 'Send one well-formed JSON document in UTF-8.' },
  'malformed-line': {
    title: 'A line of the NDJSON body cannot be read',
    fix: 'Mend the line that detail names and send the body again from there; the items before it were accepted.',
  },
  'invalid-input': { title: 'The request breaks the schema of this route', fix: 'Correct every place listed in errors.' },
  'invalid-pipeline': { title: 'The definition contradicts itself', fix: 'Correct every place listed in errors.' },
  'unknown-task': {
    title: 'The definition names a task, predicate or hook that is not registered',
    fix: 'Use a name from GET /tasks, or add the task to TASKS_DIR.',
  },
  'unknown-stage': { title: 'The pipeline has no such stage', fix: 'Use a stage name from GET /pipelines/:id.' },
  'invalid-params': { title: 'The parameters of a task do not fit its schema', fix: 'Compare them with paramsSchema in GET /tasks.' },
  'cross-site-request': {
    title: 'A web page of another origin may not do this',
    fix: 'Send it from a page of the same origin, or from a client that is no browser.',
  },
  'not-found': { title: 'There is nothing at this address', fix: 'Look at GET /openapi.json for the routes that exist.' },
  'method-not-allowed': { title: 'This address does not take that method', fix: 'Use a method that the Allow header names.' },
  'pipeline-not-found': { title: 'No such pipeline', fix: 'Use an id from GET /pipelines.' },
  'item-not-found': { title: 'No such item, or it is no longer kept', fix: 'Use an id from GET /pipelines/:id/items.' },
  'feed-not-found': { title: 'No such feed, or it is no longer kept', fix: 'Use the feedId that the feed was answered with.' },
  'pipeline-exists': { title: 'A pipeline of this id exists', fix: 'Use another id, or delete the other pipeline first.' },
  'feed-exists': { title: 'A feed of this id exists', fix: 'Use another feedId, or leave it out.' },
  'feed-cancelled': {
    title: 'The feed was cancelled and takes no more items',
    fix: 'Feed what is left under another feedId.',
  },
  'idempotency-key-reused': {
    title: 'Another request was sent under this Idempotency-Key',
    fix: 'Send each request under a key of its own, and a repeated one exactly as it was.',
  },
  'no-longer-kept': {
    title: 'Part of what was asked for is no longer kept',
    fix: 'Read results sooner, or raise the retention of the pipeline; GET /pipelines/:id/feeds/:feedId has the counts.',
  },
  'duplicate-items': {
    title: 'Items with these ids are known already',
    fix: 'Leave them out, or feed with onDuplicate "skip" or "rerun".',
  },
  'already-running': { title: 'The pipeline runs already', fix: 'Nothing is left to do.' },
  'items-in-flight': { title: 'The pipeline has unfinished items', fix: 'Wait for them, or repeat with ?mode=drain or ?mode=force.' },
  'invalid-state': { title: "The pipeline's state forbids this", fix: 'Look at its state in GET /pipelines/:id.' },
  draining: { title: 'The pipeline is finishing its items and takes no more', fix: 'Start it again when it has stopped, then feed.' },
  'item-not-final': { title: 'The item has not ended yet', fix: 'Wait until it is completed, failed or cancelled.' },
  'item-final': { title: 'The item has ended already', fix: 'Nothing is left to do.' },
  'invalid-cursor': { title: 'The cursor does not belong to this list', fix: 'Use nextCursor of this list as it was given, or none.' },
  'invalid-event-id': { title: 'That is no event id of this pipeline', fix: 'Send the id of an event as it was received, or none.' },
  'body-too-large': { title: 'The body is over the limit', fix: 'Send fewer items a request, or NDJSON, which has no limit.' },
  'line-too-large': { title: 'A line of the NDJSON body is over the limit', fix: 'Keep each line under 1 MiB.' },
  'unsupported-media-type': {
    title: 'The body has a media type or encoding that this route does not take',
    fix: 'Send application/json or, where the route takes it, application/x-ndjson, without Content-Encoding.',
  },
  'not-acceptable': { title: 'This route cannot answer in that media type', fix: 'Accept application/json.' },
  'queue-full': {
    title: 'The backlog has no room',
    fix: 'Send again after Retry-After seconds, or with ?wait=; more items at once than backlogCapacity as NDJSON only.',
  },
  'request-timeout': { title: 'The request did not arrive in time', fix: 'Send the whole request without long breaks.' },
  'shutting-down': { title: 'The service is shutting down', fix: 'Send again after Retry-After seconds.' },
  'headers-too-large': { title: 'The request headers are over the limit', fix: 'Send fewer or shorter headers.' },
  'bad-request': { title: 'The request is no valid HTTP', fix: 'Send a well-formed HTTP/1.1 request.' },
  'internal-error': { title: 'Something broke in Sluice', fix: 'Look in the log for the request id, and report it.' },
} as const satisfies Record<string, { title: string; fix: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

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
        detail: 'no pipeline "thumbnails"',
        instance: '/pipelines/thumbnails',
        code: 'pipeline-not-found',
        fix: ERROR_CODES['pipeline-not-found'].fix,
      },
    ],
  });
export type Problem = z.infer<typeof problemSchema>;
