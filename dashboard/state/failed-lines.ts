import { linesOf } from '../../src/client/index.ts';
import { path, send, withQuery } from './api.ts';

/** Failed items of a group as lines of NDJSON, with what they were fed: digit by digit as the service sends them. */
export async function failedLines(
  id: string,
  { group, feedId }: { group: string; feedId: string },
  onCount: (count: number) => void,
): Promise<string[]> {
  const url = withQuery(path`/pipelines/${id}/items`, { group, feedId, status: 'failed', include: 'input' });
  const { body } = await send(url, { accept: 'application/x-ndjson' });
  const lines: string[] = [];
  if (body === null) return lines;
  for await (const line of linesOf(body)) {
    lines.push(`${line}\n`);
    if (lines.length % 1000 === 0) onCount(lines.length);
  }
  return lines;
}
