import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { EventMessage } from '../generated/orval/client.schemas.ts';
import { feedItems, getFollowEventsUrl, listItems, runItems, showItem, showStats } from '../generated/orval/client.ts';
import { service } from './service.ts';
import { Unexpected, type Use } from './use.ts';

export function use(baseUrl: string): Use {
  service.url = baseUrl;
  return {
    async feed(id, items) {
      const answer = await feedItems(id, { items, priority: 50 });
      if (answer.status !== 202) throw new Unexpected(answer.data.detail);
      const { feedId, accepted, ids = [] } = answer.data;
      return { feedId, accepted, ids };
    },

    async run(id, items) {
      const answer = await runItems(id, { items }, { timeoutSeconds: 30 });
      if (answer.status === 202) throw new Unexpected(answer.data.etaSeconds);
      if (answer.status !== 200) throw new Unexpected(answer.data.code);
      return answer.data.results.map(({ id, value, error }) => ({ id, value, error: error?.type ?? null }));
    },

    async list(id) {
      const ids: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const answer = await listItems(id, { status: ['completed', 'failed'], limit: 2, cursor });
        if (answer.status !== 200) throw new Unexpected(answer.data.detail);
        ids.push(...answer.data.items.map((item) => item.id));
        cursor = answer.data.nextCursor;
      }
      return ids;
    },

    async asOf(id) {
      const answer = await showStats(id);
      if (answer.status !== 200) throw new Unexpected(answer.data.detail);
      return answer.data.asOf;
    },

    async firstFailure(id, after) {
      // Its own `followEvents` would wait for the end of the stream.
      const response = await fetch(getFollowEventsUrl(id, { types: ['status'], status: ['failed'], after }));
      const messages = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
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
      const answer = await showItem(id, itemId);
      if (answer.status === 200) throw new Unexpected('an item');
      const { code, status, fix } = answer.data;
      return { code, status, fix };
    },
  };
}
