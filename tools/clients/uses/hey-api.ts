import { createClient } from '../generated/hey-api/client/index.ts';
import { feedItems, followEvents, listItems, runItems, showItem, showStats } from '../generated/hey-api/index.ts';
import { Unexpected, type Use } from './use.ts';

export function use(baseUrl: string): Use {
  const client = createClient({ baseUrl });
  return {
    async feed(id, items) {
      const { data, error } = await feedItems({ client, path: { id }, body: { items, priority: 50 } });
      if (data === undefined) throw new Unexpected(error.detail);
      return { feedId: data.feedId, accepted: data.accepted, ids: data.ids ?? [] };
    },

    async run(id, items) {
      const { data, error } = await runItems({ client, path: { id }, query: { timeoutSeconds: 30 }, body: { items } });
      if (data === undefined) throw new Unexpected(error.code);
      // 202: the time is up.
      if (!('results' in data)) throw new Unexpected(data.etaSeconds);
      return data.results.map(({ id, value, error }) => ({ id, value, error: error?.type ?? null }));
    },

    async list(id) {
      const ids: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const { data, error } = await listItems({ client, path: { id }, query: { status: ['completed', 'failed'], limit: 2, cursor } });
        if (data === undefined) throw new Unexpected(error.detail);
        ids.push(...data.items.map((item) => item.id));
        cursor = data.nextCursor;
      }
      return ids;
    },

    async asOf(id) {
      const { data } = await showStats({ client, path: { id }, throwOnError: true });
      return data.asOf;
    },

    async firstFailure(id, after) {
      const reading = new AbortController();
      const query = { types: ['status' as const], status: ['failed' as const], after };
      const { stream } = await followEvents({ client, path: { id }, query, signal: reading.signal });
      for await (const data of stream) {
        if ('final' in data && data.status === 'failed') {
          reading.abort();
          return { itemId: data.itemId, stage: data.stage, final: data.final };
        }
      }
      throw new Unexpected('the end of the stream');
    },

    async problem(id, itemId) {
      const { error } = await showItem({ client, path: { id, itemId } });
      if (error === undefined) throw new Unexpected('an item');
      return { code: error.code, status: error.status, fix: error.fix };
    },
  };
}
