import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { EventSource } from '../src/engine/index.ts';
import { type Caller, sees } from '../src/http/guards/caller.ts';
import type { FoundTicket } from '../src/http/guards/tickets.ts';
import { overviewOfAll, snapshotsOfAll, statsNow, statsOfAll, viewsOf, withFewFailures } from '../src/http/routing/periodic-views.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { pipelineParams, problems } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { allEventsQuerySchema, eventPosition, eventQuerySchema, toEventFilter } from '../src/http/sse/event-query.ts';
import type { SnapshotView } from '../src/http/sse/snapshots.ts';
import { anyEventStream, eventStream } from '../src/schemas/messages.ts';

const DESCRIPTION = `
An event stream that browsers can read with \`EventSource\`. It begins with \`retry: 1000\`.

| event | data | sent |
|---|---|---|
| \`status\` | \`StatusEvent\`: an item changed its status; \`final\` is true on its last event | by default |
| \`pipeline\` | \`PipelineEvent\`: a change of state, live tuning | by default |
| \`feed\` | \`FeedEvent\`: a feed is done, with its counts and the path of its results | by default |
| \`task\` | \`TaskEvent\`: a task started, ended, is retried, or reports progress | with \`types=task\` |
| \`result\` | \`ItemResult\`: the end of an item, with its value or error | with \`types=result\` |
| \`snapshot\` | \`Snapshot\`, with the newest hundred failures | with \`snapshotSeconds\`: at once, then at that interval |
| \`stats\` | \`StatsEvent\`: the statistics that change, about a kilobyte for three stages | with \`statsSeconds\`: at once, then at that interval |
| \`overview\` | \`OverviewEvent\`: state, counters, rates and time left of each pipeline | with \`overviewSeconds\`, in the stream of all pipelines: at once, then at that interval |
| \`gap\` | \`{ missed, oldest }\`: \`missed\` events, of whatever type, are no longer kept; null if the id that the reader came with is not known, so that they cannot be counted. The stream continues from \`oldest\`, an event id | when it happens |
| \`bye\` | \`{}\` | last, when the service or the pipeline ends |

The first five have an \`id\`. With \`Last-Event-ID\` (or \`?after=\`) the stream first replays everything since that event, without a
gap or a repeat, then continues live; the header takes precedence over the query. A block with only an \`id\` (at the start, and with the heartbeat after events that the filter left out) is not an event; it moves the point that
the client resumes from. \`asOf\` in statistics and snapshots is such an id.

Nothing waits for a reader that stops reading: it continues from the events that are still kept, after a \`gap\` if necessary, and is disconnected after
30 s. A comment line is sent every 15 s.
`.trim();

const EXAMPLE = `
retry: 1000

id: mf3k2x1a-4711
event: status
data: {"itemId":"order-4711","feedId":"feed-mwty2h4k7f3a-1","stage":"Price","status":"completed","final":true,"worker":"Price-W0","timestamp":"2026-11-23T17:44:00.123Z","metadata":{}}

`.trimStart();

/** The only header that these routes read. */
const eventHeaders = z.looseObject({
  'last-event-id': z
    .string()
    .optional()
    .meta({ description: 'The `id` of the last event received; the stream continues after it.', examples: ['mf3k2x1a-4711'] }),
});

/** The parts of a request that both routes read. */
interface EventRequest {
  id: string;
  caller: Caller;
  ticket: FoundTicket | null;
  query: z.output<typeof allEventsQuerySchema> | z.output<typeof eventQuerySchema>;
  headers: { 'last-event-id'?: string | undefined };
}

/** The values that a stream is sent at intervals, if it asks for them. */
interface Views {
  snapshots: SnapshotView | SnapshotView[];
  stats: SnapshotView | SnapshotView[];
  overview?: SnapshotView;
}

/** The events of a pipeline, and of all of them, as they happen. */
export default async function eventRoutes(instance: FastifyInstance, { host, hub, streams }: RouteDeps): Promise<void> {
  const app = instance.withTypeProvider<ZodTypes>();

  app.route({
    method: 'GET',
    url: '/pipelines/:id/events',
    // The answer to HEAD would never end either.
    exposeHeadRoute: false,
    config: { scope: 'read', takesTicket: true },
    schema: {
      tags: ['Events'],
      summary: 'Follow the events of a pipeline',
      description: DESCRIPTION,
      operationId: 'followEvents',
      params: pipelineParams,
      querystring: eventQuerySchema,
      headers: eventHeaders,
      response: {
        200: {
          description: 'The stream. It ends with the service or the pipeline.',
          content: { 'text/event-stream': { schema: z.string(), stream: eventStream, example: EXAMPLE } },
        },
        ...problems('invalid-event-id', 'shutting-down', 'invalid-ticket', 'too-many-streams'),
      },
    },
    handler(request, reply) {
      const runtime = host.get(request.params.id);
      follow(request, reply, runtime.events, {
        snapshots: { subject: runtime, read: async () => [withFewFailures(await runtime.snapshot())] },
        stats: { subject: runtime, read: async () => [await statsNow(runtime)] },
      });
    },
  });

  app.route({
    method: 'GET',
    url: '/events',
    exposeHeadRoute: false,
    config: { scope: 'read', limited: 'filtered', takesTicket: true },
    schema: {
      tags: ['Events'],
      summary: 'Follow the events of all pipelines',
      description:
        'Like the stream of one pipeline, but with `pipelineId` in each datum and its own sequence of ids; ids from the stream of a single pipeline are not valid here. `snapshotSeconds` sends a `snapshot` of each pipeline, and `statsSeconds` its `stats`, or those of the pipelines in `snapshotFor` and `statsFor` alone; `overviewSeconds` sends one `overview` of all of them. `pipelineId` is for the events that have an id. So one stream can carry the overview of all pipelines and the details of some. With a store in a file the ids go on over restarts; with `memory:` they are valid until the service restarts.',
      operationId: 'followAllEvents',
      querystring: allEventsQuerySchema,
      headers: eventHeaders,
      response: {
        200: {
          description: 'The stream. It ends with the service.',
          content: {
            'text/event-stream': {
              schema: z.string(),
              stream: anyEventStream,
              example: EXAMPLE.replace('{"itemId"', '{"pipelineId":"orders","itemId"'),
            },
          },
        },
        ...problems('invalid-event-id', 'shutting-down', 'invalid-ticket', 'too-many-streams'),
      },
    },
    handler(request, reply) {
      const { id, caller, ticket, headers, query } = request;
      const { pipelines } = caller;
      // For a key limited to some pipelines, others do not exist. Requests with the same key share what is read for them.
      const subject = pipelines ?? host;
      const isSeen = (id: string): boolean => sees(caller, id);
      const { statsFor, snapshotFor } = query;
      const views: Views = {
        snapshots: snapshotFor
          ? viewsOf(host, 'snapshot', snapshotFor.filter(isSeen))
          : { subject, read: () => snapshotsOfAll(host, isSeen) },
        stats: statsFor ? viewsOf(host, 'stats', statsFor.filter(isSeen)) : { subject, read: () => statsOfAll(host, isSeen) },
        overview: { subject, read: () => overviewOfAll(host, isSeen) },
      };
      if (pipelines === null) return follow(request, reply, host.events, views);
      const { pipelineId = [...pipelines] } = query;
      const asked = { ...query, pipelineId: pipelineId.filter((id) => pipelines.has(id)) };
      return follow({ id, caller, ticket, headers, query: asked }, reply, host.events, views);
    },
  });

  function follow(request: EventRequest, reply: FastifyReply, events: EventSource, { snapshots, stats, overview }: Views): void {
    const { snapshotSeconds, statsSeconds, after } = request.query;
    const { overviewSeconds } = request.query as Partial<z.output<typeof allEventsQuerySchema>>;
    const position = eventPosition(events, request.headers['last-event-id'], after);
    streams.enter(request.caller, reply.raw);
    request.ticket?.use();
    // Up to here a fault is a problem document; from here on the hub owns the response.
    hub.attach({
      response: reply.raw,
      headers: { ...reply.getHeaders(), 'x-request-id': request.id },
      events,
      filter: toEventFilter(request.query),
      ...position,
      ...(snapshotSeconds === undefined ? {} : { snapshots: { view: snapshots, seconds: snapshotSeconds } }),
      ...(statsSeconds === undefined ? {} : { stats: { view: stats, seconds: statsSeconds } }),
      ...(overviewSeconds === undefined || overview === undefined ? {} : { overview: { view: overview, seconds: overviewSeconds } }),
    });
    reply.hijack();
  }
}
