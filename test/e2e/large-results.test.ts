import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { type ServerProcess, startServer } from './server.ts';

/*
 * Results of 4 MB, more of them than the heap of the process can hold. What is looked at is how many come, and that the process lives;
 * their content is looked at in test/engine/page-sizes.test.ts and test/routes/large-results.test.ts. `RESULTS=100` makes it more.
 */

const COUNT = Number(process.env.RESULTS ?? 33);
const SIZE = 4_000_000;
const HEAP_MIB = 128;

const TASK = `export default {
  description: 'makes a text of 4 MB',
  run: (value, ctx) => {
    if (value?.fails) throw ctx.permanent('it was told to');
    return String(value).padEnd(${SIZE}, 'x');
  },
};`;

const MAKE = { name: 'Make', workers: 4, tasks: ['big'] };
const PASS = { name: 'Pass', workers: 2, tasks: ['keep'] };
const PIPELINES = [
  { id: 'p', stages: [MAKE] },
  { id: 'q', stages: [MAKE] },
  { id: 'r', stages: [MAKE, PASS] },
];

/**
 * Counts marks, in constant memory. While `isSlow` says so, it reads only what has come in anyway: the server is held back, but not for
 * so long that it gives the reader up.
 */
async function count(response: IncomingMessage, mark: string, isSlow: () => Promise<boolean> = async () => false): Promise<number> {
  let marks = 0;
  let rest: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer): void => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length)) marks++;
    rest = mark.length === 1 ? rest : bytes.subarray(1 - mark.length);
  };
  while (await isSlow()) {
    const chunk = response.read() as Buffer | null;
    if (chunk !== null) take(chunk);
  }
  for await (const chunk of response) {
    take(chunk);
    // An event stream has no end of its own.
    if (mark.startsWith('event') && marks === COUNT) break;
  }
  return marks;
}

/** The answer, of which nothing is read yet: the server is held back by then. */
function open(server: ServerProcess, method: string, path: string, accept: string, body?: object): Promise<IncomingMessage> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { accept, ...(payload && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }) };
    const sent = request(server.url + path, { method, headers, agent: false }, resolve);
    sent.once('error', reject);
    sent.end(payload);
  });
}

async function walk(server: ServerProcess, path: string, list: string): Promise<number> {
  let rows = 0;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await server.get(`${path}${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(status).toBe(200);
    expect(body[list].length).toBeGreaterThan(0);
    rows += body[list].length;
    cursor = body.nextCursor;
  }
  return rows;
}

it('many results of 4 MB are listed, streamed, run and replayed in a small heap', { timeout: 400_000 }, async () => {
  const environment = {
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB} --disable-warning=ExperimentalWarning`,
    // What bounds memory is to be seen, and not how it is watched.
    OVERLOAD_MEMORY_PERCENT: '0',
    STORE_URL: `file:${join(folderWith(), 'sluice.db')}`,
    TASKS_DIR: folderWith({ 'big.mjs': TASK, 'keep.mjs': 'export default { run: (value) => value };' }),
    PIPELINES: folderWith({ 'p.json': JSON.stringify(PIPELINES) }),
  };
  const server = await startServer(environment);
  const items = Array.from({ length: COUNT }, (_, i) => i);

  const whole = await server.post('/pipelines/p/run', { items });
  expect([whole.status, whole.body.done, whole.body.completed]).toEqual([202, true, COUNT]);
  const feed = whole.headers.get('location');

  expect(await walk(server, '/pipelines/p/results?limit=100', 'results')).toBe(COUNT);
  expect(await walk(server, '/pipelines/p/items?limit=100', 'items')).toBe(COUNT);
  for (const path of ['/pipelines/p/results', `${feed}/results?follow=true`]) {
    expect(await count(await open(server, 'GET', path, 'application/x-ndjson'), '\n')).toBe(COUNT);
  }

  // Of two streams next to nothing is read while others are served.
  const { asOf } = (await server.get('/pipelines/p/stats')).body;
  const events = `/pipelines/p/events?types=result&after=${asOf.slice(0, asOf.lastIndexOf('-'))}-0`;
  let requests = 0;
  const served = async (): Promise<boolean> => (await server.get('/pipelines/p/results?limit=1')).status === 200 && ++requests < 5;
  expect(await count(await open(server, 'GET', events, 'text/event-stream'), 'event: result\n', served)).toBe(COUNT);

  const streamed = await open(server, 'POST', '/pipelines/q/run', 'application/x-ndjson', { items });
  const goesOn = async (): Promise<boolean> => (await server.get('/pipelines/q/feeds')).body.feeds[0].done === false;
  expect(await count(streamed, '\n', goesOn)).toBe(COUNT);

  const itemIds = (await server.get('/pipelines/q/items?limit=100')).body.items.map(({ id }: { id: string }) => id);
  const waited = (await server.post('/pipelines/q/wait', { itemIds })).body;
  expect(waited.done.length + waited.omitted.length).toBe(itemIds.length);

  // What waits is large, too, and the next process finds it.
  await server.post('/pipelines/r/stages/Pass/pause');
  expect((await server.post('/pipelines/r/feed', { items })).status).toBe(202);
  await server.post('/pipelines/r/stages/Make/pause');
  await server.stop();
  const again = await startServer(environment);
  await again.post('/pipelines/r/stages/Pass/resume');
  await again.post('/pipelines/r/stages/Make/resume');
  const { feedId } = (await again.get('/pipelines/r/feeds')).body.feeds[0];
  expect((await again.post(`/pipelines/r/feeds/${feedId}/wait`)).body).toMatchObject({ completed: COUNT, done: true });
  expect((await again.get('/pipelines/p/results?limit=100')).status).toBe(200);
  await again.stop();
});
