import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Page } from '../engine/index.ts';
import { callerSignal } from './caller.ts';
import { type CursorScope, decodeCursor, encodeCursor } from './cursor.ts';
import { LIMIT_DEFAULT, NDJSON } from './route-schemas.ts';

interface PageQuery {
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** A list that is known whole, ordered by a name: the page that the query asks for. */
export function pageByName<T>(scope: CursorScope, rows: readonly T[], nameOf: (row: T) => string, query: PageQuery) {
  const after = decodeCursor(scope, query.cursor);
  const limit = query.limit ?? LIMIT_DEFAULT;
  const sorted = rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const following = after === undefined ? sorted : sorted.filter((row) => nameOf(row) > String(after));
  const page = following.slice(0, limit);
  const last = page.at(-1);
  return { page, nextCursor: encodeCursor(scope, following.length > limit && last ? nameOf(last) : null) };
}

/** True when `Accept` names NDJSON. A client that takes anything gets JSON. */
export function wantsNdjson(request: FastifyRequest): boolean {
  return /\bapplication\/(x-ndjson|jsonl)\b/i.test(request.headers.accept ?? '');
}

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** The fields that a query holds. zod leaves the others out as well, but types them as undefined. */
export function given<T extends object>(query: T): Given<T> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as Given<T>;
}

const PAGE = 1000;

/**
 * Sends all rows one a line, reading a page when the one before is written: the client's reading sets the pace, and memory holds
 * one page. Rows that come up meanwhile are sent too. Nothing is read for `HEAD`, nor once the client has gone.
 */
export function sendNdjson<T>(
  reply: FastifyReply,
  source: { read: (after: number, limit: number) => Promise<Page<T>>; write: (row: T) => string; after: number; limit: number | undefined },
): FastifyReply {
  const signal = callerSignal(reply);
  async function* lines(): AsyncGenerator<string> {
    let left = source.limit ?? Number.POSITIVE_INFINITY;
    for (let after: number | null = source.after; after !== null && left > 0 && !signal.aborted; ) {
      const page: Page<T> = await source.read(after, Math.min(PAGE, left));
      left -= page.rows.length;
      if (page.rows.length > 0) yield `${page.rows.map(source.write).join('\n')}\n`;
      after = page.next;
    }
  }
  // Fastify reads the stream of a HEAD to its end, and throws it away.
  const rows = reply.request.method === 'HEAD' ? [] : lines();
  return reply.type(NDJSON).send(Readable.from(rows, { objectMode: false, highWaterMark: 64 * 1024 }));
}
