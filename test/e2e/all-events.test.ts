/** `GET /events` over the deaths of its service: a reader that comes back with its last id misses nothing and is told nothing twice. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { startServer } from './server.ts';

const TYPES = 'types=status,task,result,pipeline,feed';

it('the events of all pipelines go on after kill -9 and after a stop, with the ids that were told', { timeout: 60_000 }, async () => {
  const env = { STORE_URL: `file:${join(folderWith(), 'sluice.db')}`, PIPELINES: folderWith() };
  let server = await startServer(env);
  for (const id of ['a', 'b']) await server.post('/pipelines', { id, stages: [{ name: 'A', workers: 2, tasks: ['hash'] }] });
  const seen: string[] = [];
  const ends: string[] = [];
  for (const [round, how] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
    const last = seen.at(-1);
    const client = await server.events(`/events?${TYPES}`, last === undefined ? {} : { 'last-event-id': last });
    for (const id of ['a', 'b', 'a'])
      await server.post(`/pipelines/${id}/run`, { items: [{ id: `${round}-${ends.length}-${id}`, value: 1 }, 2, 3] });
    const now = Number(
      (await server.get('/pipelines/a/stats')).body.itemsProcessed + (await server.get('/pipelines/b/stats')).body.itemsProcessed,
    );
    const told = () => client.events.filter(({ event, data }) => event === 'result' && data !== '');
    await client.until(() => ends.length + told().length === now);
    expect(client.named('gap')).toEqual([]);
    ends.push(...told().map(({ data }) => JSON.parse(data).id));
    seen.push(...client.events.flatMap(({ id, data }) => (id === undefined || data === '' ? [] : [id])));
    // What comes now is shown to nobody before the end.
    client.destroy();
    await server.post('/pipelines/b/feed', { items: [1, 2, 3, 4] });
    server.signal(how);
    await server.exited;
    server = await startServer(env);
  }
  const client = await server.events(`/events?${TYPES}`, { 'last-event-id': seen.at(-1) as string });
  await server.post('/pipelines/a/join', {});
  await server.post('/pipelines/b/join', {});
  await client.until(() => client.events.filter(({ data }) => data.includes('"state":"stopped"')).length >= 2);
  seen.push(...client.events.flatMap(({ id, data }) => (id === undefined || data === '' ? [] : [id])));
  await server.stop();
  const epochs = new Set(seen.map((id) => id.slice(0, id.lastIndexOf('-'))));
  expect(epochs.size).toBe(1);
  const numbers = seen.map((id) => Number(id.slice(id.lastIndexOf('-') + 1)));
  expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] as number) + i));
});
