/** What goes when, and that the file does not grow without end. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { named } from '../conformance/world.ts';
import { livesOf } from './durable-host.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const EVERYTHING = { after: 0, limit: 10_000, status: 'all' as const };
const pass = (value: unknown): unknown => value;
const definition = { id: 'p', stages: [{ name: 'A', workers: 4, tasks: ['pass'] }] };

/** Rows of each table. */
function rowsOf(file: string): Record<string, number> {
  const db = new Database(file, { readonly: true });
  const count = (table: string): number => (db.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count;
  const rows = Object.fromEntries(['items', 'feeds', 'answers', 'ends', 'events'].map((table) => [table, count(table)]));
  db.close();
  return rows;
}

/** Pages of the file, those included that are in its log as yet. */
function pagesOf(file: string): number {
  const db = new Database(file, { readonly: true });
  const pages = db.pragma('page_count', { simple: true }) as number;
  db.close();
  return pages;
}

describe('retention on disk', () => {
  it('lets the file level off, whatever goes through it', { timeout: 60_000 }, async () => {
    const lives = livesOf({ pass }, { eventsKept: 4096, retentionMaxItems: 1000 });
    const life = await lives.begin();
    await life.host.create(definition);
    const p = life.host.get('p');
    const sizes: number[] = [];
    for (let round = 0; round < 60; round++) {
      const items = Array.from({ length: 500 }, (_, i) => ({
        id: `r${round}-${i}`,
        value: { round, text: 'some text that takes room '.repeat(4) },
      }));
      await p.run(items, {});
      sizes.push(pagesOf(lives.file()));
    }
    const [early, late] = [Math.max(...sizes.slice(20, 40)), Math.max(...sizes.slice(40))];
    expect(late, `sizes: ${sizes.join(' ')}`).toBeLessThanOrEqual(early * 1.1);
    const page = await p.results(EVERYTHING);
    expect(page.rows).toHaveLength(1000);
    expect(page.retired).toBe(29_000);
    expect(page.rows[0]?.id).toBe('r58-0');
    const rows = rowsOf(lives.file());
    // Those whose events are still kept are there without their values.
    expect(rows.items).toBeLessThan(1000 + 4096);
    expect(rows.events).toBeLessThan(100);
    expect(rows.ends).toBeLessThan(100);
    expect((await p.stats()).itemsProcessed).toBe(30_000);
    // An id whose item is gone is new again.
    expect(await p.feed(named('r0-0'), {})).toMatchObject({ accepted: 1, duplicates: 0 });
  });

  it('goes by age, too, in a process that has not seen the items end', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin({ retentionMaxAgeSeconds: 3600 });
    await life.host.create(definition);
    await life.host.get('p').run(named('a', 'b'), {});
    await life.stop();
    const db = new Database(lives.file());
    db.exec('UPDATE items SET updated = updated - 7200000');
    db.close();
    const next = await lives.begin({ retentionMaxAgeSeconds: 3600 });
    const p = next.host.get('p');
    expect(await p.results(EVERYTHING)).toMatchObject({ rows: [], retired: 2 });
    await expect(p.item('a')).rejects.toMatchObject({ code: 'item-not-found' });
    expect(await p.feed(named('a'), {})).toMatchObject({ accepted: 1 });
  });

  it('keeps to its bound over crashes, however often items were run again', async () => {
    const lives = livesOf({ pass }, { retentionMaxItems: 100 });
    let life = await lives.begin();
    await life.host.create(definition);
    const ids = Array.from({ length: 100 }, (_, i) => `i${i}`);
    for (let round = 0; round < 6; round++) {
      await life.host.get('p').run(named(...ids), { onDuplicate: 'rerun' });
      await life.crash();
      life = await lives.begin();
    }
    const p = life.host.get('p');
    expect(await p.results(EVERYTHING)).toMatchObject({ retired: 0 });
    await p.run(
      Array.from({ length: 300 }, (_, i) => i),
      {},
    );
    const page = await p.results(EVERYTHING);
    expect([page.rows.length, page.retired]).toEqual([100, 300]);
  });

  it('takes feeds that are no longer listed with their last item', async () => {
    const lives = livesOf({ pass }, { eventsKept: 16, retentionMaxItems: 10 });
    const life = await lives.begin();
    await life.host.create(definition);
    const p = life.host.get('p');
    for (let i = 0; i < 12_000; i += 100) await Promise.all(Array.from({ length: 100 }, (_, j) => p.feed([i + j], {})));
    await p.join();
    expect(rowsOf(lives.file()).feeds).toBeLessThan(10_500);
  });

  it('forgets the oldest idempotency keys, and what a removed pipeline has left', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create(definition);
    const p = life.host.get('p');
    for (let i = 0; i < 10_300; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => p.feed([], { idempotency: { key: `k${i + j}`, request: 'r', body: '' } })));
    }
    expect(rowsOf(lives.file()).answers).toBeLessThanOrEqual(10_000);
    await p.run([1, 2, 3], {});
    await life.host.remove('p', 'force');
    expect(rowsOf(lives.file())).toEqual({ items: 0, feeds: 0, answers: 0, ends: 0, events: 0 });
  });

  it('keeps nothing of a removed pipeline in memory', { timeout: 20_000 }, async () => {
    const life = await livesOf({ pass }).begin();
    const gone: WeakRef<object>[] = [];
    const comeAndGo = async (id: string): Promise<void> => {
      await life.host.create({ ...definition, id });
      const runtime = life.host.get(id);
      gone.push(new WeakRef(runtime));
      await runtime.run([{ large: 'x'.repeat(1000) }], {});
      await life.host.remove(id, 'force');
    };
    for (let i = 0; i < 20; i++) await comeAndGo(`p${i}`);
    // What was awaited last may still be held by the turn that awaited it.
    while (gone.filter((ref) => ref.deref() !== undefined).length > 1) {
      await new Promise((resolve) => setImmediate(resolve));
      collectGarbage();
    }
  });
});
