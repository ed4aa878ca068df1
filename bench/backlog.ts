import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, report } from './row.ts';
import { startServer } from './servers/child.ts';

/* A backlog that does not fit into memory: ten million items that wait on disk, what they cost there, and a start with a million of them. */

const QUEUED = Number(process.env.BACKLOG ?? 10_000_000);
const RECOVERED = 1_000_000;
const LINES_A_CHUNK = 10_000;
const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'sluice-backlog-'));

async function* lines(count: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < count; from += LINES_A_CHUNK) {
    const size = Math.min(LINES_A_CHUNK, count - from);
    yield Buffer.from(Array.from({ length: size }, (_, i) => `{"n":${from + i}}\n`).join(''));
  }
}

async function queue(file: string, count: number) {
  const server = await startServer('http', ['sluice', file]);
  let most = 0;
  const watch = setInterval(async () => {
    most = Math.max(most, ((await server.usage()) as { rss: number }).rss);
  }, 1000);
  const before = performance.now();
  const response = await fetch(`http://127.0.0.1:${server.port}/pipelines/queue/feed`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines(count) as never,
    duplex: 'half',
  } as RequestInit);
  if (response.status !== 202) throw new Error(`answered ${response.status}: ${await response.text()}`);
  await response.text();
  process.stderr.write(`${count} items queued at ${Math.round(count / (performance.now() - before))} a millisecond\n`);
  clearInterval(watch);
  return { server, most };
}

const large = await queue(join(folder, 'large.db'), QUEUED);
await large.server.stop();

const file = join(folder, 'sluice.db');
const million = await queue(file, RECOVERED);
await million.server.stop();
const before = performance.now();
const next = await startServer('http', ['sluice', file]);
await fetch(`http://127.0.0.1:${next.port}/pipelines/queue/start`, { method: 'POST' });
let first = 0;
for (let ended = 0; ended === 0; ) {
  const stats = (await (await fetch(`http://127.0.0.1:${next.port}/pipelines/queue/stats`)).json()) as { itemsProcessed: number };
  ended = stats.itemsProcessed;
  first = (performance.now() - before) / 1000;
}
const joined = await fetch(`http://127.0.0.1:${next.port}/pipelines/queue/join`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{}',
});
const { itemsProcessed } = (await joined.json()) as { itemsProcessed: number };
if (itemsProcessed !== RECOVERED) throw new Error(`${itemsProcessed} of ${RECOVERED} have completed`);
const after = (performance.now() - before) / 1000;
const { rss } = await next.usage();

/** Milliseconds of a page of a hundred, at a place of a list of a million. */
async function page(list: string, after: number): Promise<number> {
  const began = performance.now();
  const response = await fetch(`http://127.0.0.1:${next.port}/pipelines/queue/${list}&limit=100&after=${after}`);
  const body = (await response.json()) as Record<string, unknown[]>;
  if (Object.values(body)[0]?.length !== 100) throw new Error(`answered ${JSON.stringify(body).slice(0, 200)}`);
  return performance.now() - began;
}
const pages: number[] = [];
for (const list of ['results?status=completed', 'results?status=all']) {
  const [start, end]: [number[], number[]] = [[], []];
  for (let i = 0; i < 50; i++) {
    start.push(await page(list, i));
    end.push(await page(list, RECOVERED - 1000 + i));
  }
  pages.push(median(end) / median(start));
}
const atTheEnd = Math.max(...pages);
process.stderr.write(`all ${RECOVERED} done after ${after.toFixed(1)} s, ${Math.round(rss / MIB)} MiB\n`);
await next.stop();
rmSync(folder, { recursive: true });

report([
  {
    claim: 'a page of results at the end of a million, of one at the start',
    bar: '≤ 1.5',
    figure: atTheEnd.toFixed(2),
    holds: atTheEnd <= 1.5,
  },
  {
    claim: `${QUEUED / 1e6} million small items wait on disk: the most memory while they are fed`,
    bar: '< 1024 MiB',
    figure: `${Math.round(large.most / MIB)} MiB`,
    holds: large.most < 1024 * MIB && QUEUED >= 10_000_000,
  },
  {
    claim: 'a start with a million queued items after kill -9: from the start of the process to the first result',
    bar: '< 15 s',
    figure: `${first.toFixed(1)} s`,
    holds: first < 15,
  },
  {
    claim: 'the same start, until all of them are done: memory',
    bar: '< 512 MiB',
    figure: `${Math.round(rss / MIB)} MiB`,
    holds: rss < 512 * MIB,
  },
]);
process.exit(0);
