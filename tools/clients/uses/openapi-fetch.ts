import { EventSourceParserStream } from 'eventsource-parser/stream';
import createClient from 'openapi-fetch';
import type { components, paths } from '../generated/openapi-typescript.ts';
import { Unexpected, type Use } from './use.ts';

type EventMessage = components['schemas']['EventMessage'];

export function use(baseUrl: string): Use {
  const client = createClient<paths>({ baseUrl });
  return {
    async feed(id, items) {
      const { data, error } = await client.POST('/pipelines/{id}/feed', { params: { path: { id } }, body: { items, priority: 50 } });
      if (error) throw new Unexpected(error.detail);
      return { feedId: data.feedId, accepted: data.accepted, ids: data.ids ?? [] };
    },

    async run(id, items) {
      const params = { path: { id }, query: { timeoutSeconds: 30 } };
      const { data, error } = await client.POST('/pipelines/{id}/run', { params, body: { items } });
      if (error) throw new Unexpected(error.code);
      // 202: the time is up.
      if (!('results' in data)) throw new Unexpected(data.etaSeconds);
      return data.results.map(({ id, value, error }) => ({ id, value, error: error?.type ?? null }));
    },

    async list(id) {
      const ids: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const query = { status: ['completed' as const, 'failed' as const], limit: 2, ...(cursor !== undefined && { cursor }) };
        const { data, error } = await client.GET('/pipelines/{id}/items', { params: { path: { id }, query } });
        if (error) throw new Unexpected(error.detail);
        ids.push(...data.items.map((item) => item.id));
        cursor = data.nextCursor;
      }
      return ids;
    },

    async asOf(id) {
      const { data, error } = await client.GET('/pipelines/{id}/stats', { params: { path: { id } } });
      if (error) throw new Unexpected(error.detail);
      return data.asOf;
    },

    async firstFailure(id, after) {
      const { data, error } = await client.GET('/pipelines/{id}/events', {
        params: { path: { id }, query: { types: ['status'], status: ['failed'], after } },
        parseAs: 'stream',
      });
      if (error) throw new Unexpected(error.detail);
      const messages = data?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
      for await (const { id, event, data } of messages ?? []) {
        const message = { id, event, data: JSON.parse(data) } as EventMessage;
        if (message.event === 'status' && message.data.status === 'failed') {
          const { itemId, stage, final } = message.data;
          return { itemId, stage, final };
        }
      }
      throw new Unexpected('the end of the stream');
    },

    async problem(id, itemId) {
      const { error } = await client.GET('/pipelines/{id}/items/{itemId}', { params: { path: { id, itemId } } });
      if (error === undefined) throw new Unexpected('an item');
      return { code: error.code, status: error.status, fix: error.fix };
    },
  };
}
