import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import type { OpenRequests } from '../guards/open-requests.ts';
import { pathOf } from '../problems/path-of.ts';
import { PROBLEM_TYPE, retryAfterOf, toProblem, writeProblem } from '../problems/problem.ts';
import { noteRefusal } from '../problems/refusals.ts';
import { SECURITY_HEADERS } from '../problems/response-headers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The term of ownership in which this node carries the request out; null for what is no owner's business. */
    term: number | null;
    /** The reply of a request that has a term. */
    servedBy: FastifyReply | null;
  }
}

/** The requests that this node carries out as the owner. */
export interface Served {
  note(request: FastifyRequest, reply: FastifyReply, term: number): void;
  /** Ends all that are of another term than this one: who has no answer yet is told that nobody knows, the others are cut off. */
  endOthers(term: number | null): number;
}

/** Costs a request two assignments: who has one is looked for among the connections when a term ends. */
export function followServed(app: FastifyInstance, requests: OpenRequests, view: { readonly name: string }): Served {
  app.decorateRequest('term', null);
  app.decorateRequest('servedBy', null);
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  return {
    note(request, reply, term) {
      request.term = term;
      request.servedBy = reply;
    },
    endOthers(term) {
      let ended = 0;
      for (const socket of sockets) {
        const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse | null };
        const request = requests.of(socket);
        if (!answer || !request || request.term === null || request.term === term || request.raw !== answer.req) continue;
        ended++;
        const { servedBy: reply } = request;
        request.term = null;
        if (reply === null || answer.headersSent) socket.destroy();
        else tell(request, reply, view.name);
      }
      return ended;
    },
  };
}

/** The route that would answer may never come to its end, so its reply is taken from it. */
function tell(request: FastifyRequest, reply: FastifyReply, nodeName: string): void {
  const error = ownerLost(nodeName);
  const problem = toProblem(error, pathOf(request.url), request.id);
  const body = writeProblem(problem);
  request.problemCode = 'owner-lost';
  noteRefusal(request, 'owner-lost');
  reply.hijack();
  reply.raw.writeHead(problem.status, {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    'x-request-id': request.id,
    'cache-control': 'no-store',
    'retry-after': String(retryAfterOf(error)),
    ...SECURITY_HEADERS,
  });
  reply.raw.end(request.method === 'HEAD' ? '' : body);
}

export function ownerLost(node: string): SluiceError {
  return new SluiceError(
    'owner-lost',
    `the owner ${node} was lost before it had answered; it is unknown whether it carried the request out`,
  );
}
