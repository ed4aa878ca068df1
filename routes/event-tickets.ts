import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { IssuedTicket } from '../src/http/guards/tickets.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noBody, noQuery, pipelineParams, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';

const DESCRIPTION = `
\`EventSource\` sends no headers, and a key does not belong in an address. So a page asks for a ticket with its key, and opens the stream with
\`?ticket=\` within 60 s. A ticket opens one stream, once, with the rights that its key has at that moment.

\`EventSource\` reconnects by itself with the same address, whose ticket is used up: the answer is a 401 \`invalid-ticket\`, which ends it with an event \`error\`
and \`readyState\` 2 (\`CLOSED\`). Then get another ticket and open a new \`EventSource\` with \`after=\` and the \`lastEventId\` of the last event: nothing is missed and
nothing repeated. Tickets work without keys as well, so a page need not know whether there are any.
`.trim();

const ticketSchema = z
  .object({
    ticket: z.string().meta({ description: 'Sent once, as `?ticket=`. It is shown here only.' }),
    expiresAt: z.string().meta({ description: 'The instant from which it is refused.' }),
  })
  .meta({
    id: 'EventTicket',
    examples: [{ ticket: 'slt_k3Jx0aQ9b1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A6B7C', expiresAt: '2026-11-23T17:45:00.123Z' }],
  });

/** Single-use tickets for the event streams, for clients that cannot send a key with their request. */
const eventTickets: FastifyPluginAsync<RouteDeps> = async (instance, { host, tickets }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  const response = { 201: reply(ticketSchema, 'The ticket.'), ...problems('too-many-tickets') };

  app.post(
    '/pipelines/:id/events/tickets',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['Events'],
        operationId: 'createEventTicket',
        summary: 'Get a ticket for the events of a pipeline',
        description: DESCRIPTION,
        params: pipelineParams,
        querystring: noQuery,
        body: noBody,
        response,
      },
    },
    async ({ caller, params }, answer) => created(answer, tickets.issue(caller, host.get(params.id).definition.id)),
  );

  app.post(
    '/events/tickets',
    {
      config: { scope: 'read', limited: 'filtered' },
      schema: {
        tags: ['Events'],
        operationId: 'createAllEventsTicket',
        summary: 'Get a ticket for the events of all pipelines',
        description: DESCRIPTION,
        querystring: noQuery,
        body: noBody,
        response,
      },
    },
    async ({ caller }, answer) => created(answer, tickets.issue(caller, null)),
  );
};
export default eventTickets;

function created(reply: FastifyReply, ticket: IssuedTicket): IssuedTicket {
  reply.code(201);
  return ticket;
}
