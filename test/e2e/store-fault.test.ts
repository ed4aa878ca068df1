/** What the store refuses and always will: the process says why and ends, in place of trying for ever. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import { STATUS_CODES } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';
import { startServer } from './server.ts';

const PIPELINE = { id: 'p', stages: [{ name: 'A', tasks: ['hash'] }] };

it('a row that breaks a constraint ends the process with its reason; what was acknowledged is there, and no item is blamed', async () => {
  const file = join(folderWith(), 'sluice.db');
  const env = { STORE_URL: `file:${file}`, MAX_DELIVERIES: '1' };
  const server = await startServer(env);
  expect((await server.post('/pipelines', PIPELINE)).status).toBe(201);
  expect((await server.post('/pipelines/p/feed', { items: [{ id: 'a', value: 1 }] })).status).toBe(202);
  await server.post('/pipelines/p/join', {});
  const db = new Database(file);
  // What no program does: the place of the next item is taken.
  const columns = (db.pragma('table_info(items)') as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => name !== 'key' && name !== 'id');
  db.exec(`INSERT INTO items (key, id, ${columns}) SELECT key + 1, NULL, ${columns} FROM items WHERE id = 'a'`);
  const asked = server.post('/pipelines/p/feed', { items: [{ id: 'b', value: 2 }] }).then(
    ({ status }) => status,
    () => 'cut',
  );
  expect(await server.exited).toEqual({ code: 1, signal: null });
  expect(['cut', 503]).toContain(await asked);
  const [told] = server.records('the store has a fault, and the process ends; what was answered is stored');
  expect(told).toMatchObject({ level: 60, err: { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' } });
  db.close();
  // What the next start finds, without starting one.
  const store = await openSqliteStore({ file, inProcess: true });
  expect(store.blamed).toBeNull();
  const shelf = store.shelf(store.pipelines().find(({ id }) => id === PIPELINE.id)?.pipeline ?? 0);
  expect(shelf.byId('a', 'none')).toMatchObject({ status: STATUS_CODES.completed, deliveries: 0 });
  expect(shelf.byId('b', 'none')).toBeUndefined();
  await store.close();
});
