import { expect, it } from 'vitest';
import { startServer } from './server.ts';

/** A queue of such items fills this heap long before the backlog is full. */
const HEAP_MIB = 96;
const ITEM = { note: 'x'.repeat(400_000) };
const MOST = (2 * HEAP_MIB * 1_000_000) / ITEM.note.length;

it('a memory that fills up refuses new items before it is full, and takes them again when there is room', async () => {
  const server = await startServer({
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB} --disable-warning=ExperimentalWarning`,
    OVERLOAD_MEMORY_PERCENT: '80',
  });
  const stages = [{ name: 'Hash', tasks: ['hash'] }];
  expect((await server.post('/pipelines', { id: 'p', start: false, collectResults: false, stages })).status).toBe(201);
  const feed = () => server.post('/pipelines/p/feed', { items: [ITEM] });
  let accepted = 0;
  let answer = await feed();
  for (; answer.status === 202 && accepted < MOST; answer = await feed()) accepted++;
  expect(answer.status).toBe(503);
  expect(answer.body).toMatchObject({ code: 'overloaded', detail: expect.stringMatching(/ % of its memory is in use$/) });
  // Who looks is answered, and who works it off is, too.
  expect((await server.get('/pipelines/p/stats')).body).toMatchObject({ itemsInFlight: accepted });
  expect((await server.get('/readyz?verbose')).body.overloaded).toMatch(/memory/);
  expect((await server.post('/pipelines/p/start')).status).toBe(200);
  await server.logged('no longer overloaded: new items are accepted');
  expect((await feed()).status).toBe(202);
  expect((await server.post('/pipelines/p/join', {})).body).toMatchObject({ itemsProcessed: accepted + 1, itemsFailed: 0 });
  await server.stop();
});
