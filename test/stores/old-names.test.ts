/** A file of a version that took more names: what has them goes on, and can be read and removed. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { migrate } from '../../src/stores/sqlite/schema.ts';
import { ended, named } from '../conformance/world.ts';
import { livesOf } from './durable-host.ts';

const OLD_IDS = ['..', 'a\u202eb', 'a\u2028b'];

describe('names that are refused now', () => {
  it('are kept where they were taken before', async () => {
    const lives = livesOf({ pass: (value) => value });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] }, { start: false });
    await life.host.get('p').feed(named('x0', 'x1', 'x2'), { feedId: 'f' });
    await life.stop();

    const db = new Database(lives.file());
    migrate(db);
    OLD_IDS.forEach((id, i) => void db.prepare('UPDATE items SET id = ? WHERE id = ?').run(id, `x${i}`));
    db.exec(`UPDATE pipelines SET id = '..'`);
    db.exec(`UPDATE facts SET json = replace(replace(json, '"id":"p"', '"id":".."'), '"name":"A"', '"name":"."')`);
    db.exec(`UPDATE feeds SET id = '.'`);
    db.close();

    const next = await lives.begin();
    const pipeline = next.host.get('..');
    expect((await pipeline.describe()).definition.stages[0]?.name).toBe('.');
    await pipeline.start();
    await ended(pipeline, 3);
    const { rows } = await pipeline.results({ status: 'all', after: 0, limit: 10 });
    expect(rows.map(({ id }) => id)).toEqual(OLD_IDS);
    for (const id of OLD_IDS) expect(await pipeline.item(id)).toMatchObject({ id, status: 'completed' });
    expect(await pipeline.feedView('.')).toMatchObject({ total: 3, completed: 3 });
    await next.host.remove('..');
    expect(await next.host.list()).toEqual([]);
  });
});
