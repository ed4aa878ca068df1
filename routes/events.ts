import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { type EventSource, type PipelineHost, type PipelineRuntime, SluiceError } from '../src/engine/index.ts';
import { type Caller, sees } from '../src/http/guards/caller.ts';
import type { FoundTicket } from '../src/http/guards/tickets.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { pipelineParams, problems } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { allEventsQuerySchema, eventPosition, eventQuerySchema, toEventFilter } from '../src/http/sse/event-query.ts';
import type { SnapshotView } from '../src/http/sse/snapshots.ts';
import { anyEventStream, eventStream } from '../src/schemas/messages.ts';
import type { DashboardSnapshot } from '../src/schemas/stats.ts';
import { type StatsEvent, toStatsEvent } from '../src/schemas/stats-event.ts';

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
| \`gap\` | \`{ missed, oldest }\`: \`missed\` events, of whatever type, are no longer kept; null if they belong to an earlier life of the pipeline and cannot be counted. The stream continues from \`oldest\`, an event id | when it happens |
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

type WithSnapshot = DashboardSnapshot & { pipelineId?: string };

/** The most failures in a snapshot that is sent again and again; `GET …/errors` has more. */
const FAILURES_MAX = 100;

function withFewFailures(snapshot: WithSnapshot): WithSnapshot {
  const { errorSummary } = snapshot;
  if (errorSummary.failedItems.length <= FAILURES_MAX) return snapshot;
  return { ...snapshot, errorSummary: { ...errorSummary, failedItems: errorSummary.failedItems.slice(-FAILURES_MAX) } };
}

async function statsOf(runtime: PipelineRuntime): Promise<StatsEvent> {
  const [stats, { state }] = await Promise.all([runtime.stats(), runtime.describe()]);
  return toStatsEvent(stats, state);
}

async function statsOfAll(host: PipelineHost): Promise<({ pipelineId: string } & StatsEvent)[]> {
  const all = await host.list();
  const found = await Promise.all(
    all.map(async ({ definition: { id: pipelineId }, state }) => {
      try {
        return [{ pipelineId, ...toStatsEvent(await host.get(pipelineId).stats(), state) }];
      } catch (error) {
        // It has been removed meanwhile.
        if (error instanceof SluiceError && error.code === 'pipeline-not-found') return [];
        throw error;
      }
    }),
  );
  return found.flat();
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
      follow(request, reply, runtime.events, runtime, {
        snapshots: async () => [await runtime.snapshot()],
        stats: async () => [await statsOf(runtime)],
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
        'Like the stream of one pipeline, but with `pipelineId` in each datum and its own sequence of ids; ids from the stream of a single pipeline are not valid here. `snapshotSeconds` sends a `snapshot` of each pipeline, and `statsSeconds` its `stats`. With a store in a file the ids go on over restarts; with `memory:` they are valid until the service restarts.',
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
      const stats = () => statsOfAll(host);
      if (pipelines === null) return follow(request, reply, host.events, host, { snapshots: () => host.snapshots(), stats });
      // For a key limited to some pipelines, others do not exist. Requests with the same key share their snapshots.
      const { pipelineId = [...pipelines] } = query;
      const seen = <T extends { pipelineId: string }>(all: T[]): T[] => all.filter((one) => sees(caller, one.pipelineId));
      const asked = { ...query, pipelineId: pipelineId.filter((id) => pipelines.has(id)) };
      return follow({ id, caller, ticket, headers, query: asked }, reply, host.events, pipelines, {
        snapshots: async () => seen(await host.snapshots()),
        stats: async () => seen(await stats()),
      });
    },
  });

  /** Readers of the same `subject` share what `read` gives. */
  function follow(
    request: EventRequest,
    reply: FastifyReply,
    events: EventSource,
    subject: object,
    read: { snapshots: () => Promise<WithSnapshot[]>; stats: SnapshotView['read'] },
  ): void {
    const { snapshotSeconds, statsSeconds, after } = request.query;
    const snapshots = async () => (await read.snapshots()).map(withFewFailures);
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
      ...(snapshotSeconds === undefined ? {} : { snapshots: { view: { subject, read: snapshots }, seconds: snapshotSeconds } }),
      ...(statsSeconds === undefined ? {} : { stats: { view: { subject, read: read.stats }, seconds: statsSeconds } }),
    });
    reply.hijack();
  }
}
