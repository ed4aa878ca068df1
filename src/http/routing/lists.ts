import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Page } from '../../engine/index.ts';
import { callerSignal } from '../guards/caller.ts';
import { LIMIT_DEFAULT, NDJSON } from '../schemas/route-schemas.ts';
import { formOf } from './accept.ts';
import { type CursorScope, decodeCursor, encodeCursor } from './cursor.ts';

interface PageQuery {
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** As pages of items do, a page ends with the row that makes it this long, in characters of JSON. */
const PAGE_CHARACTERS = 8 * 1024 * 1024;

/** A list that is known whole, ordered by a name: the page that the query asks for. `toRow`: what is shown of an entry. */
export function pageByName<T, Row>(
  scope: CursorScope,
  entries: readonly T[],
  nameOf: (entry: T) => string,
  toRow: (entry: T) => Row,
  query: PageQuery,
  most = PAGE_CHARACTERS,
): { page: Row[]; nextCursor: string | null } {
  const after = decodeCursor(scope, query.cursor);
  const limit = query.limit ?? LIMIT_DEFAULT;
  const sorted = entries.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const following = after === undefined ? sorted : sorted.filter((entry) => nameOf(entry) > String(after));
  const page: Row[] = [];
  let left = most;
  for (const entry of following) {
    if (page.length === limit || (left <= 0 && page.length > 0)) break;
    const row = toRow(entry);
    page.push(row);
    left -= JSON.stringify(row).length;
  }
  const last = following[page.length - 1];
  return { page, nextCursor: encodeCursor(scope, page.length < following.length && last !== undefined ? nameOf(last) : null) };
}

/** True when `Accept` asks for NDJSON. A client that takes anything gets JSON. */
export function wantsNdjson(request: FastifyRequest): boolean {
  return formOf(request, ['ndjson']) !== undefined;
}

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** The fields that a query holds. zod leaves the others out as well, but types them as undefined. */
export function given<T extends object>(query: T): Given<T> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as Given<T>;
}

const PAGE = 1000;

/** So many characters are written in one go. */
export const CHUNK = 64 * 1024;

/** Rows can be large: they are joined only as long as they are not. */
export function* chunked<T>(rows: readonly T[], write: (row: T) => string): Generator<string> {
  let chunk = '';
  for (const row of rows) {
    chunk += write(row);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

/**
 * Sends all rows one a line, reading a page when the one before is written: the client's reading sets the pace, and memory holds
 * one page. Rows that come up meanwhile are sent too. Nothing is read for `HEAD`, nor once the client has gone.
 */
export function sendNdjson<T>(
  reply: FastifyReply,
  list: { read: (after: number, limit: number) => Promise<Page<T>>; write: (row: T) => string; after: number; limit: number | undefined },
): FastifyReply {
  const signal = callerSignal(reply);
  async function* lines(): AsyncGenerator<string> {
    let left = list.limit ?? Number.POSITIVE_INFINITY;
    for (let after: number | null = list.after; after !== null && left > 0 && !signal.aborted; ) {
      const page: Page<T> = await list.read(after, Math.min(PAGE, left));
      left -= page.rows.length;
      yield* chunked(page.rows, (row) => `${list.write(row)}\n`);
      after = page.next;
    }
  }
  // Fastify reads the stream of a HEAD to its end, and throws it away.
  const rows = reply.request.method === 'HEAD' ? [] : lines();
  return reply.type(NDJSON).send(Readable.from(rows, { objectMode: false, highWaterMark: CHUNK }));
}
