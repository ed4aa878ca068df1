import type { Readable } from 'node:stream';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { PipelineRuntime, RunAnswer, RunRequest } from '../src/engine/index.ts';
import type { ItemReading } from '../src/http/bodies/item-reading.ts';
import { acceptNdjson, collectNdjson, isNdjson } from '../src/http/bodies/ndjson-body.ts';
import { callerSignal } from '../src/http/guards/caller.ts';
import { traceOf } from '../src/http/guards/request-identity.ts';
import { formOf, type RowForm } from '../src/http/routing/accept.ts';
import { feedingAs } from '../src/http/routing/feed-access.ts';
import { feedContent, jsonFeedBody } from '../src/http/routing/feed-body.ts';
import { idempotencyHeaders, keyWithBody, keyWithHash, markReplay } from '../src/http/routing/idempotency.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { sendRows } from '../src/http/routing/row-stream.ts';
import { beginUpload, stepsOf } from '../src/http/routing/streamed-run.ts';
import { NDJSON, pipelineParams, problems, REPLAYED, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { runQuerySchema, runReplySchema } from '../src/schemas/control.ts';
import { feedViewSchema } from '../src/schemas/feed.ts';
import { resultExample } from '../src/schemas/item.ts';
import { runLineSchema, runStream } from '../src/schemas/messages.ts';

/** Limits for a run answered with one document, which holds all its items and the reply in memory at once. */
const RUN_BODY_MAX_BYTES = 64 * 1024 * 1024;
const RUN_ITEMS_MAX = 1_000_000;

const DESCRIPTION = `
Takes the same body as feed, waits for these items only, and answers with the result of each in feed order, including failed and
cancelled ones with their \`error\`. Starts a pipeline that is not running, unless the key has only the scope \`feed\`: then the answer is
\`not-running\`. A client that disconnects does not cancel the items, unless \`cancelOnDisconnect\` is true. If the answer is one document,
an NDJSON body may hold up to 64 MiB and a million items, and is refused as soon as it exceeds the room in the backlog.

An item whose id the pipeline already knows is not run again (see \`onDuplicate\`), but is among the results: with the result that it has, or, if it
has not ended, with the one that is waited for. Its \`feedId\` names the feed that it came with, and \`duplicates\` counts such items; one that is
named twice has one result. An id is known as long as its item is kept: one that retention took runs again.

One document holds up to 32 MiB of results. If there are more, the answer is 202, as if the time were up, with the feed (whose \`done\` is true)
and its path in \`Location\`: nothing is lost, and \`GET …/feeds/:feedId/results\` returns the results in pages. A stream has no such limit.

With \`Accept: application/x-ndjson\` or \`text/event-stream\` each result is sent as soon as it is ready, in order of completion: one per
line, or as an event \`result\`. An NDJSON body may then have any length, and the first results arrive before its last line is sent:
read while you send, because the body is not read further while a thousand results are unread. \`Location\` is the path of the feed.

Such an answer starts when the first items are accepted. A later error (a bad line, a shutdown) is reported in the last line,
\`{"problem": {…}}\`, or the last event, \`problem\`, after the results of all items accepted before it. When the time is up
(\`timeoutSeconds\`), the last line is \`{"pending": {…}}\`, or the last event \`pending\`, with the current state of the feed. A successful event
stream ends with the event \`summary\`, \`{ feedId, duplicates, errorSummary }\`; successful NDJSON just ends, unless there were duplicates: then its last line is
\`{"summary": {…}}\` with the same fields.
`.trim();

const STREAM_EXAMPLE = `
event: result
data: ${JSON.stringify(resultExample)}

event: summary
data: {"feedId":"${resultExample.feedId}","duplicates":0,"errorSummary":{"totalFailed":0,"errorsByType":{},"errorsByStage":{},"failedItems":[]}}

`.trimStart();

/** Feeds items and answers with their results. */
const run: FastifyPluginAsync<RouteDeps> = async (
  instance,
  { host, clock, overload, streams, bodyLimitBytes, maxItemsPerRequest, uploadIdleSeconds, sseHeartbeatSeconds },
) => {
  const app = instance.withTypeProvider<ZodTypes>();
  acceptNdjson(instance);
  const bounds = { maxLineBytes: bodyLimitBytes, idleTimeoutMs: uploadIdleSeconds * 1000, clock };

  app.post(
    '/pipelines/:id/run',
    {
      config: { quiet: true, scope: 'feed', takesItems: true },
      schema: {
        tags: ['Feeding'],
        operationId: 'runItems',
        summary: 'Feed items and wait for their results',
        description: DESCRIPTION,
        querystring: runQuerySchema,
        headers: idempotencyHeaders,
        params: pipelineParams,
        body: feedContent,
        response: {
          200: {
            description: `Every item has ended; as a stream, each as it ends. ${REPLAYED}`,
            content: {
              'application/json': { schema: runReplySchema },
              [NDJSON]: { schema: runLineSchema },
              'text/event-stream': { schema: z.string(), stream: runStream, example: STREAM_EXAMPLE },
            },
          },
          202: reply(
            feedViewSchema,
            'The time is up, or the results are too large for one document (`done` is true then); the feed as it is now. `Location` is its address.',
          ),
          ...problems(
            'malformed-line',
            'line-too-large',
            'value-too-large',
            'too-many-items',
            'unknown-stage',
            'not-running',
            'draining',
            'invalid-state',
            'duplicate-items',
            'feed-exists',
            'feed-cancelled',
            'idempotency-key-reused',
            'no-longer-kept',
            'queue-full',
            'overloaded',
            'too-many-streams',
          ),
        },
      },
    },
    async (request, response) => {
      const { params } = request;
      const { wait, timeoutSeconds, cancelOnDisconnect, bigNumbers, idField, ...options } = request.query;
      const reading = { bigNumbers, idField };
      const runtime = host.get(params.id);
      const signal = callerSignal(response);
      const asked: RunRequest = {
        ...options,
        waitSeconds: wait,
        timeoutSeconds,
        cancelOnAbort: cancelOnDisconnect,
        signal,
        trace: traceOf(request),
      };
      const form = formOf(request, ['ndjson', 'sse']);
      if (form === undefined) {
        const answer = await runWhole(request, runtime, asked, reading);
        markReplay(response, answer);
        if (answer.pending === undefined) return answer;
        return response.code(202).header('location', `/pipelines/${params.id}/feeds/${answer.feedId}`).send(answer.pending);
      }
      streams.enter(request.caller, response.raw);
      const { opened, outcome } = await openStream(request, runtime, asked, form, reading);
      if (opened.isReplay) markReplay(response, { replayed: true });
      response.header('location', `/pipelines/${params.id}/feeds/${opened.feedId}`);
      return sendRows(request, response, stepsOf(opened, outcome), { form, signal, heartbeatSeconds: sseHeartbeatSeconds });
    },
  );

  async function runWhole(request: FastifyRequest, runtime: PipelineRuntime, asked: RunRequest, reading: ItemReading): Promise<RunAnswer> {
    if (isNdjson(request)) {
      const access = feedingAs(request.caller, runtime.definition, asked);
      const { idempotency, hash } = keyWithHash(request);
      const items = await collectNdjson(request.body as Readable, {
        maxBytes: RUN_BODY_MAX_BYTES,
        maxItems: RUN_ITEMS_MAX,
        ...bounds,
        reading,
        hash,
        onItems: runtime.gauge({ ...asked, idempotency }),
      });
      return runtime.run(items, {
        ...asked,
        ...access,
        idempotency: idempotency && { ...idempotency, body: hash?.digest('base64url') ?? '' },
      });
    }
    const body = jsonFeedBody(request.body, reading.idField, maxItemsPerRequest);
    const { items, ...options } = body;
    const access = feedingAs(request.caller, runtime.definition, { ...asked, ...options });
    return runtime.run(items, { ...asked, ...options, ...access, idempotency: keyWithBody(request, body) });
  }

  /** Starts a streamed run. `outcome` resolves when the body has been read or has failed. */
  async function openStream(request: FastifyRequest, runtime: PipelineRuntime, asked: RunRequest, form: RowForm, reading: ItemReading) {
    if (isNdjson(request)) {
      const access = feedingAs(request.caller, runtime.definition, asked);
      const { idempotency, hash } = keyWithHash(request, form);
      const opened = await runtime.openRun({ ...asked, ...access, idempotency });
      const outcome = await beginUpload(request.body as Readable, opened, { ...bounds, hash, reading, pause: () => overload.over() });
      return { opened, ...outcome };
    }
    const body = jsonFeedBody(request.body, reading.idField, maxItemsPerRequest);
    const { items, ...options } = body;
    const access = feedingAs(request.caller, runtime.definition, { ...asked, ...options });
    const opened = await runtime.openRun({ ...asked, ...options, ...access, idempotency: keyWithBody(request, body, form) }, items);
    return { opened, outcome: Promise.resolve({}) };
  }
};
export default run;
