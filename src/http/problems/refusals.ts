import type { FastifyRequest } from 'fastify';
import { type Clock, type Logger, unref } from '../../engine/ports.ts';
import type { ErrorCode } from '../../schemas/problem.ts';
import { pathOf } from './path-of.ts';
import { STATUS_OF } from './status.ts';

/** A request that was answered with a problem. */
export interface Refusal {
  /** Name of the key that sent it; null if it carried no valid key, or none is configured. */
  key: string | null;
  /** The name in a key that is not valid. Anybody can write it there. */
  claimedKey?: string | null;
  /** Null if what came was not a request. */
  method: string | null;
  /** Template of the route, such as `/pipelines/:id/feed`; null if there is none. */
  route: string | null;
  /** Without the query. */
  path: string | null;
  code: ErrorCode;
  requestId: string;
  /** Address of the peer of the connection: a proxy's, if there is one. In a cluster, of the connection to the node that the client has asked. */
  remoteAddress?: string | undefined;
}

/** The number of refusals with a code on a route since the start. */
export interface RefusalCount {
  /** Template of the route; `none` for requests that no route matches, and for what is not a request. */
  route: string;
  code: ErrorCode;
  status: number;
  count: number;
}

export interface Refusals {
  /** `own`: the logger of the request, which adds its id and trace. */
  note(refusal: Refusal, own?: Pick<Logger, 'warn'>): void;
  /** The counters, which never fall. There are at most as many as routes times codes. */
  counts(): RefusalCount[];
  /** Logs what was counted and not told yet. */
  flush(): void;
}

const WINDOW_SECONDS = 1;
const PATH_CHARACTERS = 200;

interface Kind {
  fields: object;
  /** How many were counted since the one that was logged. */
  times: number;
}

/**
 * Tells of refused requests, so that none goes unnoticed and none can flood the log: in each second, the first of a kind (key, method, route and code)
 * is a line `refused`, and the others are counted and told in one line `refused again` when the second is over. A kind holds nothing that a client can
 * make up, so their number is bounded.
 */
export function createRefusals({ clock, logger }: { clock: Clock; logger: Pick<Logger, 'warn'> }): Refusals {
  const counters = new Map<string, RefusalCount>();
  /** The kinds of the present second. */
  const kinds = new Map<string, Kind>();
  let timer: unknown;

  function count(route: string, code: ErrorCode): void {
    const name = `${route} ${code}`;
    const counter = counters.get(name);
    if (counter === undefined) counters.set(name, { route, code, status: STATUS_OF[code], count: 1 });
    else counter.count++;
  }

  function flush(): void {
    clock.clearTimer(timer);
    timer = undefined;
    const told = [...kinds.values()];
    kinds.clear();
    for (const { fields, times } of told) if (times > 0) logger.warn({ ...fields, times, seconds: WINDOW_SECONDS }, 'refused again');
  }

  return {
    note({ key, claimedKey = null, method, route, path, code, requestId, remoteAddress }, own) {
      count(route ?? 'none', code);
      const name = JSON.stringify([key, method, route, code]);
      const kind = kinds.get(name);
      if (kind !== undefined) {
        kind.times++;
        return;
      }
      const fields = { key, method, route, status: STATUS_OF[code], code };
      kinds.set(name, { fields, times: 0 });
      if (timer === undefined) {
        timer = clock.setTimer(flush, WINDOW_SECONDS * 1000);
        unref(timer);
      }
      const claimed = claimedKey === null ? {} : { claimedKey };
      const from = remoteAddress === undefined ? {} : { remoteAddress };
      const line = { ...fields, ...claimed, path: path === null ? null : plainPath(path), ...from };
      if (own === undefined) logger.warn({ reqId: requestId, ...line }, 'refused');
      else own.warn(line, 'refused');
    },
    counts: () => [...counters.values()].map((counter) => ({ ...counter })),
    flush,
  };
}

/** A path of bounded length without anything that a terminal could take for more than text. */
function plainPath(path: string): string {
  const cut = path.length > PATH_CHARACTERS ? `${path.slice(0, PATH_CHARACTERS)}…` : path;
  return cut.replaceAll(/[^ -~…]/g, '?');
}

const noted = new WeakSet<object>();

/** Notes that a request was answered with a problem, or would have been if its client were still there; once, however often it is called. */
export function noteRefusal(request: FastifyRequest, code: ErrorCode): void {
  const { server, method, routeOptions, url, id, ip, hop, caller, claimedKey, raw } = request;
  if (noted.has(raw)) return;
  noted.add(raw);
  server.refusals?.note(
    {
      key: caller?.name || null,
      claimedKey,
      method,
      route: request.is404 ? null : (routeOptions?.url ?? null),
      path: pathOf(url),
      code,
      requestId: id,
      remoteAddress: hop?.client ?? ip,
    },
    request.log,
  );
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Absent in an app that counts none. */
    refusals?: Refusals;
  }
  interface FastifyRequest {
    /** The name in a key that was refused. */
    claimedKey: string | null;
    /** Set on a request that another node of the cluster has passed on: `client` is the address that it came to that node from. */
    hop: { readonly node: string; readonly client: string } | null;
  }
}
