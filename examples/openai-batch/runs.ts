/** An item of the input, `{"id": …, "value": {"text": …}}`. */
export interface Item {
  id: string;
  value: unknown;
}

/** What became of it. */
export interface Row {
  id: string;
  value: unknown;
  error: { type: string; message: string; attempts: number } | null;
}

/** All items at once: the pipeline takes the next one as soon as a worker is free. Rows come in the order of the input. */
export async function throughPipeline(service: string, items: AsyncIterable<Item> | Iterable<Item>, run: string): Promise<Row[]> {
  const fed = await post(`${service}/pipelines/reviews/feed?feedId=${run}`, linesOf(items, run));
  if (fed.status !== 202) throw new Error(`the feed was answered ${fed.status}: ${await fed.text()}`);
  await fed.body?.cancel();
  const path = `${service}/pipelines/reviews/feeds/${run}/results?follow=true`;
  return rowsOf(await fetch(path, { headers: { accept: 'application/x-ndjson' } }), run);
}

/** Batch by batch: the next one begins when every item of the one before has ended. By the same pipeline, with the same limits. */
export async function batchByBatch(service: string, items: readonly Item[], size: number, run: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (let from = 0; from < items.length; from += size) {
    const batch = linesOf(items.slice(from, from + size), run);
    rows.push(...(await rowsOf(await post(`${service}/pipelines/reviews/run?feedId=${run}-${from}`, batch), run)));
  }
  return rows;
}

function post(url: string, lines: ReadableStream<Uint8Array>): Promise<Response> {
  const headers = { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson, application/json;q=0.5' };
  // A body of any length, which the service reads as it has room.
  return fetch(url, { method: 'POST', headers, body: lines, duplex: 'half' } as RequestInit);
}

function linesOf(items: AsyncIterable<Item> | Iterable<Item>, run: string): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    (async function* () {
      for await (const { id, value } of items) yield `${JSON.stringify({ id: `${run}/${id}`, value, run })}\n`;
    })(),
  ).pipeThrough(new TextEncoderStream()) as ReadableStream<Uint8Array>;
}

async function rowsOf(answer: Response, run: string): Promise<Row[]> {
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${text}`);
  const rows: (Row & { problem?: object })[] = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  const cut = rows.find(({ problem }) => problem !== undefined);
  if (cut !== undefined) throw new Error(`the answer ended with ${JSON.stringify(cut.problem)}`);
  return rows.map(({ id, value, error }) => ({ id: id.slice(run.length + 1), value, error }));
}
