import { type ItemResult, linesOf, type Row } from '../../src/client/index.ts';
import { path, send, withQuery } from './api.ts';

/** Failed items of a group, with what they were fed: digit by digit as the service sends them. */
export async function* failedRows(id: string, { group, feedId }: { group: string; feedId: string }): AsyncGenerator<Row> {
  const url = withQuery(path`/pipelines/${id}/items`, { group, feedId, status: 'failed', include: 'input' });
  const { body } = await send(url, { accept: 'application/x-ndjson' });
  if (body === null) return;
  for await (const text of linesOf(body)) yield { text, value: JSON.parse(text) as ItemResult };
}
