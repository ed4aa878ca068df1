import type { Readable } from 'node:stream';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { PipelineRuntime, RunAnswer, RunRequest } from '../src/engine/index.ts';
import { acceptNdjson, collectNdjson, isNdjson } from '../src/http/bodies/ndjson-body.ts';
import { callerSignal } from '../src/http/guards/caller.ts';
import { feedingAs } from '../src/http/routing/feed-access.ts';
import { feedContent, jsonFeedBody } from '../src/http/routing/feed-body.ts';
import { idempotencyHeaders, keyWithBody, keyWithHash, markReplay } from '../src/http/routing/idempotency.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { type RowForm, rowFormOf, sendRows } from '../src/http/routing/row-stream.ts';
import { beginUpload, stepsOf } from '../src/http/routing/streamed-run.ts';
import { NDJSON, pipelineParams, problems, REPLAYED, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { runQuerySchema, runReplySchema } from '../src/schemas/control.ts';
import { feedViewSchema } from '../src/schemas/feed.ts';
import { resultExample, resultSchema } from '../src/schemas/item.ts';

/** All items of a run that is answered with one document are in memory at once, and so is the reply. */
const RUN_BODY_MAX_BYTES = 64 * 1024 * 1024;
const RUN_ITEMS_MAX = 1_000_000;

const DESCRIPTION = `
Takes the same body as feed, waits for those items alone, and answers with every one of them in feed order, the failed and cancelled
ones with their \`error\`. A pipeline that is not running is started, unless the key may only feed; then it is a \`not-running\`. A client that
hangs up does not cancel the items, unless \`cancelOnDisconnect\` is true. Answered as one document, it takes up to 64 MiB and a million items
of NDJSON, and is refused as soon as more items than there is room for have come.

One document holds up to 32 MiB of results. When there are more, the answer is the one of a run whose time is up, 202 with the feed as it is, which is
done then, and its address in \`Location\`: nothing is lost, \`GET …/feeds/:feedId/results\` has them in pages. A stream has no such limit.

With \`Accept: application/x-ndjson\` or \`text/event-stream\` each result is sent when it is ready, in the order of completion: one a
line, or as an event \`result\`. An NDJSON body may then have any length, and its first results come before its last line is sent:
read while you send, since the body is not read further while a thousand results are unread. \`Location\` is the address of the feed.

The head of such an answer is sent when the first items are accepted. What goes wrong after that (a bad line, a shutdown) is its last
line \`{"problem": {…}}\`, or the last event, \`problem\`; the results of all items that were accepted before a bad line come first.
When the time is up (\`timeoutSeconds\`) it is \`{"pending": {…}}\` or the event \`pending\`, with the feed as it is then. An event stream
that ends well ends with the event \`summary\`, \`{ feedId, errorSummary }\`; NDJSON that ends well just ends.
`.trim();

const STREAM_EXAMPLE = `
event: result
data: ${JSON.stringify(resultExample)}

event: summary
data: {"feedId":"${resultExample.feedId}","errorSummary":{"totalFailed":0,"errorsByType":{},"errorsByStage":{},"failedItems":[]}}

`.trimStart();

/** Feeds items and waits for them. */
const run: FastifyPluginAsync<RouteDeps> = async (instance, { host, clock, bodyLimitBytes, sseHeartbeatSeconds }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  acceptNdjson(instance);

  app.post(
    '/pipelines/:id/run',
    {
      config: { quiet: true, scope: 'feed', newWork: true },
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
              [NDJSON]: { schema: resultSchema },
              'text/event-stream': { schema: z.string(), example: STREAM_EXAMPLE },
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
          ),
        },
      },
    },
    async (request, response) => {
      const { params } = request;
      const { wait, timeoutSeconds, cancelOnDisconnect, ...options } = request.query;
      const runtime = host.get(params.id);
      const signal = callerSignal(response);
      const asked: RunRequest = { ...options, waitSeconds: wait, timeoutSeconds, cancelOnAbort: cancelOnDisconnect, signal };
      const form = rowFormOf(request);
      if (form === undefined) {
        const answer = await runWhole(request, runtime, asked);
        markReplay(response, answer);
        if (answer.pending === undefined) return answer;
        return response.code(202).header('location', `/pipelines/${params.id}/feeds/${answer.feedId}`).send(answer.pending);
      }
      const { opened, outcome } = await openStream(request, runtime, asked, form);
      if (opened.isReplay) markReplay(response, { replayed: true });
      response.header('location', `/pipelines/${params.id}/feeds/${opened.feedId}`);
      return sendRows(request, response, stepsOf(opened, outcome), { form, signal, heartbeatSeconds: sseHeartbeatSeconds });
    },
  );

  async function runWhole(request: FastifyRequest, runtime: PipelineRuntime, asked: RunRequest): Promise<RunAnswer> {
    if (isNdjson(request)) {
      const access = feedingAs(request.caller, runtime.definition, asked);
      const { idempotency, hash } = keyWithHash(request);
      const items = await collectNdjson(request.body as Readable, {
        maxBytes: RUN_BODY_MAX_BYTES,
        maxItems: RUN_ITEMS_MAX,
        maxLineBytes: bodyLimitBytes,
        clock,
        hash,
        onItems: runtime.gauge({ ...asked, idempotency }),
      });
      return runtime.run(items, {
        ...asked,
        ...access,
        idempotency: idempotency && { ...idempotency, body: hash?.digest('base64url') ?? '' },
      });
    }
    const body = jsonFeedBody(request.body);
    const { items, ...options } = body;
    const access = feedingAs(request.caller, runtime.definition, { ...asked, ...options });
    return runtime.run(items, { ...asked, ...options, ...access, idempotency: keyWithBody(request, body) });
  }

  /** `outcome` is what becomes of a body that is still being read. */
  async function openStream(request: FastifyRequest, runtime: PipelineRuntime, asked: RunRequest, form: RowForm) {
    if (isNdjson(request)) {
      const access = feedingAs(request.caller, runtime.definition, asked);
      const { idempotency, hash } = keyWithHash(request, form);
      const opened = await runtime.openRun({ ...asked, ...access, idempotency });
      const outcome = await beginUpload(request.body as Readable, opened, { maxLineBytes: bodyLimitBytes, clock, hash });
      return { opened, ...outcome };
    }
    const body = jsonFeedBody(request.body);
    const { items, ...options } = body;
    const access = feedingAs(request.caller, runtime.definition, { ...asked, ...options });
    const opened = await runtime.openRun({ ...asked, ...options, ...access, idempotency: keyWithBody(request, body, form) }, items);
    return { opened, outcome: Promise.resolve({}) };
  }
};
export default run;
