import type { FeedView } from '../../../src/schemas/feed.ts';
import type { ItemSummary, PipelineResult } from '../../../src/schemas/item.ts';
import type { PipelineStats } from '../../../src/schemas/stats.ts';
import type { Client, Reply } from './request.ts';
import { encode } from './texts.ts';

export interface Page<T> {
  rows: T[];
  retired: number;
}

/** What the invariants are checked with: the API, asked as any client would. */
export function createReading(client: Client) {
  async function ask(method: string, url: string, body?: object): Promise<Reply> {
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const reply = await client.ask({ method, url, headers, body: bytes, patienceMs: null });
    if (reply === null) throw new Error(`${method} ${url} was not answered`);
    return reply;
  }

  async function get<T>(url: string): Promise<T> {
    const reply = await ask('GET', url);
    if (reply.status !== 200) throw new Error(`GET ${url} was answered ${reply.status}: ${reply.body.subarray(0, 2000)}`);
    return JSON.parse(String(reply.body)) as T;
  }

  /** A list from its first page to its last. */
  async function all<T>(path: string, name: string, limit: number): Promise<Page<T>> {
    const rows: T[] = [];
    let retired = 0;
    for (let cursor: string | null = ''; cursor !== null; ) {
      const url: string = `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor === '' ? '' : `&cursor=${encode(cursor)}`}`;
      const page = await get<Record<string, unknown>>(url);
      rows.push(...(page[name] as T[]));
      retired = Number(page.retired ?? 0);
      cursor = page.nextCursor as string | null;
    }
    return { rows, retired };
  }

  const of = (id: string): string => `/pipelines/${encode(id)}`;
  return {
    /** Of a socket on which events are read. */
    get port() {
      return client.port;
    },
    ask,
    get,
    stats: (id: string) => get<PipelineStats>(`${of(id)}/stats`),
    state: async (id: string) => (await get<{ state: string }>(of(id))).state,
    items: (id: string, query = '') => all<ItemSummary>(`${of(id)}/items${query}`, 'items', 500),
    results: (id: string) => all<PipelineResult>(`${of(id)}/results?status=all`, 'results', 50),
    feeds: (id: string) => all<FeedView>(`${of(id)}/feeds`, 'feeds', 500),
    feedResults: (id: string, feedId: string) => all<PipelineResult>(`${of(id)}/feeds/${encode(feedId)}/results`, 'results', 50),
  };
}

export type Reading = ReturnType<typeof createReading>;
