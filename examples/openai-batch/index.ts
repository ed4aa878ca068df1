/**
 * Sends reviews to a model through the pipeline of openai-batch.yaml, and writes what comes of it into a folder: `results.ndjson` in the order of the
 * input, `failures.ndjson` apart, and `answers.ndjson`, every answer that was paid for. On stdout, a summary.
 *
 *   node examples/openai-batch/index.ts                 192 made-up reviews and a stand-in for the API; then the same batch by batch, to compare
 *   node examples/openai-batch/index.ts FILE.ndjson     your own, lines of {"id": …, "value": {"text": …}}
 *
 * With OPENAI_BASE_URL and OPENAI_API_KEY the API is a real one, and nothing is asked twice to compare. OUTPUT names the folder,
 * data/output/openai-batch by default; files of these names there are replaced.
 */
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startService, startStandIn } from './processes.ts';
import { BATCH, reviews } from './reviews.ts';
import { batchByBatch, type Item, type Row, throughPipeline } from './runs.ts';

/** US dollars for a million tokens of gpt-4.1-mini. */
const PRICES = { prompt: 0.4, completion: 1.6 };

const { OPENAI_BASE_URL, OPENAI_API_KEY = 'a-key-of-the-stand-in', OUTPUT = 'data/output/openai-batch' } = process.env;
const [file] = process.argv.slice(2);
const output = resolve(OUTPUT);
await mkdir(output, { recursive: true });
await rm(join(output, 'answers.ndjson'), { force: true });

const standIn = OPENAI_BASE_URL === undefined ? await startStandIn(OPENAI_API_KEY) : null;
const baseUrl = standIn === null ? (OPENAI_BASE_URL as string) : `${standIn.url}/v1`;
const service = await startService({ baseUrl, key: OPENAI_API_KEY }, output, standIn !== null);
try {
  // Its evaluators have started, and the connection is open: what is measured below is the work.
  if (standIn !== null) await throughPipeline(service.url, reviews().slice(0, 1), 'first');
  const items = file === undefined ? reviews() : itemsIn(file);
  const [rows, seconds] = await timed(() => throughPipeline(service.url, items, 'pipeline'));
  const failed = rows.filter(({ error }) => error !== null);
  await write(
    'results.ndjson',
    rows.filter(({ error }) => error === null).map(({ id, value }) => ({ id, value })),
  );
  await write(
    'failures.ndjson',
    failed.map(({ id, error }) => ({ id, error })),
  );
  const summary = {
    items: rows.length,
    results: rows.length - failed.length,
    failures: failed.length,
    ...(await bill('pipeline')),
    seconds,
  };
  const compared = standIn !== null && Array.isArray(items) ? await compare(standIn.url, items, rows, seconds) : {};
  process.stdout.write(`${JSON.stringify({ ...summary, ...compared }, null, 2)}\n`);
} finally {
  service.stop();
  standIn?.stop();
}

/** The same work batch by batch, of as many items as there are workers. */
async function compare(url: string, items: readonly Item[], rows: readonly Row[], seconds: number): Promise<object> {
  const [batched, batchSeconds] = await timed(() => batchByBatch(service.url, items, BATCH, 'batches'));
  const endsOf = (all: readonly Row[]): Map<string, string> =>
    new Map(all.map(({ id, value, error }) => [id, JSON.stringify(value ?? error?.type)]));
  const [one, other] = [endsOf(rows), endsOf(batched)];
  const standIn = (await (await fetch(`${url}/report`)).json()) as object;
  return {
    batchByBatchSeconds: batchSeconds,
    ofItsTime: round(seconds / batchSeconds),
    sameResults: one.size === other.size && [...one].every(([id, end]) => other.get(id) === end),
    standIn,
  };
}

/** The sum of what the answers of a run have cost, those that did not validate among them. */
async function bill(run: string): Promise<{ answers: number; promptTokens: number; completionTokens: number; costUsd: number }> {
  const lines = (await readFile(join(output, 'answers.ndjson'), 'utf8')).trimEnd().split('\n');
  const answers = lines.map((line) => JSON.parse(line) as { run: string; usage: { prompt_tokens: number; completion_tokens: number } });
  const own = answers.filter((answer) => answer.run === run);
  const promptTokens = own.reduce((sum, { usage }) => sum + usage.prompt_tokens, 0);
  const completionTokens = own.reduce((sum, { usage }) => sum + usage.completion_tokens, 0);
  const costUsd = (promptTokens * PRICES.prompt + completionTokens * PRICES.completion) / 1_000_000;
  return { answers: own.length, promptTokens, completionTokens, costUsd: Number(costUsd.toFixed(6)) };
}

async function* itemsIn(path: string): AsyncGenerator<Item> {
  const handle = await open(path);
  for await (const line of handle.readLines()) if (line.trim() !== '') yield JSON.parse(line);
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const begun = performance.now();
  const result = await work();
  return [result, round((performance.now() - begun) / 1000)];
}

async function write(name: string, rows: readonly object[]): Promise<void> {
  await writeFile(join(output, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

function round(number: number): number {
  return Math.round(number * 1000) / 1000;
}
