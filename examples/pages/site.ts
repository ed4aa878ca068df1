import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a host of the site has seen. */
export interface HostSeen {
  requests: number;
  /** How many requests were in flight at once, at most. */
  mostAtOnce: number;
  /** Paths in the order in which they were asked for, repetitions too. */
  paths: string[];
  /** Requests that came while its pause lasted and its sender knew. */
  duringPause: number;
}

export interface Site {
  /** Two names for it, each a host to who limits by host. */
  origins: [string, string];
  seen: Record<string, HostSeen>;
  /** Answers what waits and what comes from now on; before that nothing is answered. */
  open(): void;
  close(): void;
}

const ANSWER_MS = 20;
const PAUSE_SECONDS = 1;
/** Whoever has read that it is to pause may have sent another request in the same moment. */
const GRACE_MS = 200;
/** Clocks round. */
const ROUNDING_MS = 20;

/** A site of `/page/N` that takes a moment for each, and now and then is too busy: it says 503 and for how long to stay away. */
export async function startSite(): Promise<Site> {
  const seen: Record<string, HostSeen> = {};
  const refused = new Set<string>();
  const pausedUntil = new Map<string, number>();
  const inFlight = new Map<string, number>();
  const opened = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const host = request.headers.host ?? '';
    const path = request.url ?? '';
    const of = seen[host] ?? { requests: 0, mostAtOnce: 0, paths: [], duringPause: 0 };
    seen[host] = of;
    const now = (inFlight.get(host) ?? 0) + 1;
    inFlight.set(host, now);
    of.requests++;
    of.paths.push(path);
    of.mostAtOnce = Math.max(of.mostAtOnce, now);
    if (performance.now() < (pausedUntil.get(host) ?? 0)) of.duringPause++;
    void opened.promise.then(() => setTimeout(answer, ANSWER_MS));

    function answer(): void {
      inFlight.set(host, (inFlight.get(host) ?? 0) - 1);
      const number = Number(/^\/page\/(\d+)$/.exec(path)?.[1]);
      if (Number.isNaN(number)) {
        response.writeHead(404).end('no such page');
      } else if (number % 20 === 7 && !refused.has(host + path)) {
        refused.add(host + path);
        const end = performance.now() + PAUSE_SECONDS * 1000 - ROUNDING_MS;
        // The sender closes the connection when it has read the answer: by then it knows.
        request.socket.once('close', () => setTimeout(() => pausedUntil.set(host, end), GRACE_MS));
        response.writeHead(503, { 'retry-after': String(PAUSE_SECONDS), connection: 'close' }).end('too busy');
      } else {
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end(
          `<html><title>Page ${number}</title><a href="/page/${number + 1}">next</a><a href="/page/${number * 2}">on</a></html>`,
        );
      }
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origins: [`http://127.0.0.1:${port}`, `http://localhost:${port}`],
    seen,
    open: opened.resolve,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
