import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DurationHistogram, MACHINE_SECONDS } from '../../engine/index.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** The route of what no route takes: an address that somebody made up is no series. */
export const UNKNOWN_ROUTE = 'unknown';
/** The status of a request whose client went before its answer began. */
export const NO_ANSWER = 'none';

export interface RequestSeries {
  route: string;
  status: string;
  method: string;
  duration: DurationHistogram;
}

/** How long requests took, by the template of their route, by status and method: as many series as there are routes and answers to them. */
export class RequestDurations {
  private readonly byRoute = new Map<string, Map<string, RequestSeries>>();

  /** Counts each request when it is answered. Call it before the routes are registered. */
  follow(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, done) => {
      const { raw } = reply;
      // `finish` alone would leave out the clients that hang up.
      raw.once('close', () => this.ended(request, reply));
      done();
    });
  }

  /** A request that passes no hook, since it could not be routed. */
  followUnrouted(request: FastifyRequest, reply: FastifyReply): void {
    reply.raw.once('close', () => this.ended(request, reply));
  }

  get series(): Iterable<RequestSeries> {
    return [...this.byRoute.values()].flatMap((series) => [...series.values()]);
  }

  private ended(request: FastifyRequest, reply: FastifyReply): void {
    const { url, config } = request.routeOptions;
    const route = request.is404 || url === undefined || config === undefined ? UNKNOWN_ROUTE : url;
    const status = reply.raw.headersSent ? reply.raw.statusCode : NO_ANSWER;
    const method = METHODS.has(request.method) ? request.method : 'other';
    let series = this.byRoute.get(route);
    if (series === undefined) {
      series = new Map();
      this.byRoute.set(route, series);
    }
    const key = `${status} ${method}`;
    let found = series.get(key);
    if (found === undefined) {
      found = { route, status: String(status), method, duration: new DurationHistogram(MACHINE_SECONDS) };
      series.set(key, found);
    }
    found.duration.add(reply.elapsedTime / 1000);
  }
}
