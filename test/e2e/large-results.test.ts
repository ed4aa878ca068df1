import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { type ServerProcess, startServer } from './server.ts';

/*
 * Results of 6 MB, more of them than the heap of the process can hold. What is looked at is how many come, and that the process lives;
 * their content is looked at in test/engine/page-sizes.test.ts and test/routes/large-results.test.ts. `RESULTS=100` makes it more.
 */

const COUNT = Number(process.env.RESULTS ?? 36);
const SIZE = 6_000_000;
const HEAP_MIB = 192;

const TASK = `export default {
  description: 'makes a text of 6 MB',
  run: (value, ctx) => {
    if (value?.fails) throw ctx.permanent('it was told to');
    return String(value).padEnd(${SIZE}, 'x');
  },
};`;

const definition = (id: string): object => ({
  id,
  stages: [
    { name: 'Make', workers: 4, tasks: ['big'] },
    { name: 'Pass', workers: 2, tasks: ['keep'] },
  ],
});

/** Counts what is between reads, in constant memory. */
async function count(response: IncomingMessage, mark: string): Promise<{ marks: number; bytes: number }> {
  let marks = 0;
  let bytes = 0;
  let rest = '';
  for await (const chunk of response.setEncoding('latin1')) {
    bytes += chunk.length;
    const text = rest + chunk;
    marks += text.split(mark).length - 1;
    rest = mark.length === 1 ? '' : text.slice(1 - mark.length);
  }
  return { marks, bytes };
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

it('many results of 6 MB are listed, streamed, run and replayed in a small heap', { timeout: 400_000 }, async () => {
  const environment = {
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB} --disable-warning=ExperimentalWarning`,
    STORE_URL: `file:${join(folderWith(), 'sluice.db')}`,
    TASKS_DIR: folderWith({ 'big.mjs': TASK, 'keep.mjs': 'export default { run: (value) => value };' }),
    PIPELINES: folderWith({ 'p.json': JSON.stringify([definition('p'), definition('q'), definition('r')]) }),
  };
  const server = await startServer(environment);
  const items = Array.from({ length: COUNT }, (_, i) => i);

  const whole = await server.post('/pipelines/p/run', { items });
  expect([whole.status, whole.body.done, whole.body.completed]).toEqual([202, true, COUNT]);
  const feed = whole.headers.get('location');

  expect(await walk(server, '/pipelines/p/results?limit=100', 'results')).toBe(COUNT);
  expect(await walk(server, '/pipelines/p/items?limit=100', 'items')).toBe(COUNT);
  for (const path of ['/pipelines/p/results', `${feed}/results?follow=true`]) {
    const { marks } = await count(await open(server, 'GET', path, 'application/x-ndjson'), '\n');
    expect(marks).toBe(COUNT);
  }

  // Two streams whose readers read nothing until everything has ended, and others have been served meanwhile.
  const streamed = await open(server, 'POST', '/pipelines/q/run', 'application/x-ndjson', { items });
  const { asOf } = (await server.get('/pipelines/p/stats')).body;
  const epoch = asOf.slice(0, asOf.lastIndexOf('-'));
  const events = await open(server, 'GET', `/pipelines/p/events?types=result&after=${epoch}-0`, 'text/event-stream');
  const { body: list } = await server.get('/pipelines/q/feeds');
  expect((await server.post(`/pipelines/q/feeds/${list.feeds[0].feedId}/wait`)).body.completed).toBe(COUNT);
  expect((await server.get('/pipelines/p/results?limit=100')).status).toBe(200);
  expect((await count(streamed, '\n')).marks).toBe(COUNT);
  let seen = 0;
  let rest = '';
  for await (const chunk of events.setEncoding('latin1')) {
    const text = rest + chunk;
    seen += text.split('event: result\n').length - 1;
    rest = text.slice(-13);
    if (seen === COUNT && text.endsWith('\n\n')) break;
  }
  expect(seen).toBe(COUNT);

  const itemIds = (await server.get('/pipelines/q/items?limit=100')).body.items.map(({ id }: { id: string }) => id);
  const waited = (await server.post('/pipelines/q/wait', { itemIds })).body;
  expect(waited.done.length + waited.omitted.length).toBe(itemIds.length);

  // What waits is large, too, and the next process finds it.
  await server.post('/pipelines/r/stages/Pass/pause');
  await server.post('/pipelines/r/feed', { items });
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
