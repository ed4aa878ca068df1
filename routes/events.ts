import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { EventSource } from '../src/engine/index.ts';
import { sees } from '../src/http/guards/caller.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { pipelineParams, problems } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { allEventsQuerySchema, eventPosition, eventQuerySchema, toEventFilter } from '../src/http/sse/event-query.ts';
import type { SnapshotSource } from '../src/http/sse/snapshots.ts';

const DESCRIPTION = `
An event stream as browsers read it with \`EventSource\`. It begins with \`retry: 1000\`.

| event | data | sent |
|---|---|---|
| \`status\` | \`StatusEvent\`: an item changed its status; \`final\` is true on its last one | by default |
| \`pipeline\` | \`PipelineEvent\`: a change of state, live tuning | by default |
| \`task\` | \`TaskEvent\`: a task started, ended, is repeated, reports progress | with \`types=task\` |
| \`result\` | \`Result\`: the end of an item, with its value or error | with \`types=result\` |
| \`snapshot\` | \`Snapshot\` | with \`snapshotSeconds\` |
| \`gap\` | \`{ missed, oldest }\`: \`missed\` events, whatever their type, are no longer kept; null when they are of an earlier life of the pipeline and nobody can count them. The stream goes on from \`oldest\`, an event id | when it happens |
| \`bye\` | \`{}\` | last, when the service or the pipeline ends |

The events of the first four have an \`id\`. With \`Last-Event-ID\` (or \`?after=\`) everything that came since is sent, without a
gap or a repeat, and then what comes; the header goes before the query. A block with an \`id\` alone (at the beginning, and with the heartbeat after events that the filter held back) is no event; it moves what
the client resumes from. \`asOf\` of statistics and snapshot is such an id.

A reader that stops reading is not waited for: it goes on from what is kept, after a \`gap\` if it must, and is disconnected after
30 s. A comment line comes every 15 s.
`.trim();

const EXAMPLE = `
retry: 1000

id: mf3k2x1a-4711
event: status
data: {"itemId":"order-4711","feedId":"feed-mwty2h4k7f3a","stage":"Price","status":"completed","final":true,"worker":"Price-W0","timestamp":"2026-11-23T17:44:00.123Z","metadata":{}}

`.trimStart();

/** Of all headers only this one means something here. */
const eventHeaders = z.looseObject({
  'last-event-id': z
    .string()
    .optional()
    .meta({ description: 'The `id` of the last event that was received; the stream goes on after it.', examples: ['mf3k2x1a-4711'] }),
});

/** What both routes have in common. */
interface EventRequest {
  id: string;
  query: z.output<typeof allEventsQuerySchema> | z.output<typeof eventQuerySchema>;
  headers: { 'last-event-id'?: string | undefined };
}

/** The events of a pipeline, and of all of them, as they happen. */
export default async function eventRoutes(instance: FastifyInstance, { host, hub }: RouteDeps): Promise<void> {
  const app = instance.withTypeProvider<ZodTypes>();

  app.route({
    method: 'GET',
    url: '/pipelines/:id/events',
    // Of HEAD the stream would have no end either.
    exposeHeadRoute: false,
    config: { scope: 'read' },
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
          description: 'The stream. It ends when the service or the pipeline does.',
          content: { 'text/event-stream': { schema: z.string(), example: EXAMPLE } },
        },
        ...problems('invalid-event-id', 'shutting-down'),
      },
    },
    handler(request, reply) {
      const runtime = host.get(request.params.id);
      follow(request, reply, runtime.events, { subject: runtime, read: async () => [await runtime.snapshot()] });
    },
  });

  app.route({
    method: 'GET',
    url: '/events',
    exposeHeadRoute: false,
    config: { scope: 'read', limited: 'filtered' },
    schema: {
      tags: ['Events'],
      summary: 'Follow the events of all pipelines',
      description:
        'The same over all pipelines, `pipelineId` in each datum, and one sequence of ids of its own: those of one pipeline’s stream mean nothing here. `snapshotSeconds` sends a `snapshot` of each pipeline. The ids hold until the service starts anew.',
      operationId: 'followAllEvents',
      querystring: allEventsQuerySchema,
      headers: eventHeaders,
      response: {
        200: {
          description: 'The stream. It ends when the service does.',
          content: {
            'text/event-stream': { schema: z.string(), example: EXAMPLE.replace('{"itemId"', '{"pipelineId":"orders","itemId"') },
          },
        },
        ...problems('invalid-event-id', 'shutting-down'),
      },
    },
    handler(request, reply) {
      const { caller, query } = request;
      const { pipelines } = caller;
      if (pipelines === null) return follow(request, reply, host.events, { subject: host, read: () => host.snapshots() });
      // A key for some pipelines: what it asks for of others is not there. Those who come with the same key share their snapshots.
      const { pipelineId = [...pipelines] } = query;
      const read = async () => (await host.snapshots()).filter((snapshot) => sees(caller, snapshot.pipelineId));
      const asked = { ...query, pipelineId: pipelineId.filter((id) => pipelines.has(id)) };
      return follow({ id: request.id, headers: request.headers, query: asked }, reply, host.events, { subject: pipelines, read });
    },
  });

  function follow(request: EventRequest, reply: FastifyReply, events: EventSource, source: SnapshotSource): void {
    const { snapshotSeconds: seconds, after } = request.query;
    const position = eventPosition(events, request.headers['last-event-id'], after);
    // Until here a fault is a problem document; from here on the response is the hub's.
    hub.attach({
      response: reply.raw,
      headers: { ...reply.getHeaders(), 'x-request-id': request.id },
      events,
      filter: toEventFilter(request.query),
      ...position,
      ...(seconds === undefined ? {} : { snapshots: { source, seconds } }),
    });
    reply.hijack();
  }
}
