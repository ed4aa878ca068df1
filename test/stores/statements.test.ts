/** Whatever the store asks of SQLite, it finds by an index. */
import Database from 'better-sqlite3';
import { expect, it, vi } from 'vitest';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { livesOf } from './durable-host.ts';
import { FULL_OPTIONS, fillStore, fullTasks, lookAt, openHost } from './full-store.ts';

/** What is small: the tables of pipelines and facts, a page of feeds, and the sums of each stage, which a start makes once. */
const SMALL = /^SCAN (pipelines|facts|\(subquery-1\))$|^USE TEMP B-TREE FOR GROUP BY$/;

it('reads no table from end to end, and sorts nothing, in any statement', async () => {
  const lives = livesOf(fullTasks, FULL_OPTIONS);
  const prepared = vi.spyOn(Database.prototype, 'prepare');
  await fillStore(lives);
  const store = await openSqliteStore({ file: lives.file(), inProcess: true });
  const host = await openHost(store);
  await lookAt(host);
  const shelf = store.shelf(1);
  const texts = 'results' as const;
  const page = { statuses: [2, 3, 6], feed: null, stages: null, after: 0, last: 99, limit: 9, characters: 999, texts };
  for (const statuses of [null, [2], [2, 3, 6]]) {
    for (const feed of [null, 1]) for (const stages of [null, [1, 2]]) shelf.page({ ...page, statuses, feed, stages });
  }
  shelf.byId('x', 'all');
  shelf.failures(9);
  shelf.emptyFeeds(9);
  shelf.answerSize('run');
  shelf.answerTotals();
  shelf.oldestAnswers(9);
  shelf.endsFrom(1);
  await host.remove('r', 'force');
  const statements = new Set(
    prepared.mock.calls.map(([sql]) => sql as string).filter((sql) => /^\s*(SELECT|INSERT|UPDATE|DELETE)/.test(sql)),
  );
  prepared.mockRestore();
  await host.close();
  expect(statements.size).toBeGreaterThan(30);

  const db = new Database(lives.file(), { readonly: true });
  const plan = (sql: string): string[] => {
    const parameters = Array.from({ length: sql.split('?').length - 1 }, () => 1);
    return (db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(parameters) as { detail: string }[]).map(({ detail }) => detail);
  };
  const slow = [...statements].flatMap((sql) =>
    plan(sql)
      .filter((step) => /^SCAN|TEMP B-TREE/.test(step) && !SMALL.test(step))
      .map((step) => `${step}: ${sql}`),
  );
  db.close();
  expect(slow).toEqual([]);
});
