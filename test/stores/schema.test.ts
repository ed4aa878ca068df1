import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { APPLICATION_ID, MIGRATIONS, migrate } from '../../src/stores/sqlite/schema.ts';
import { folderWith } from '../loader/folder.ts';

function schemaOf(db: Database.Database): unknown[] {
  return db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all();
}

/** What a file of the first version holds. A later version's step finds rows of this kind. */
function fill(db: Database.Database): void {
  db.exec(`
    INSERT INTO pipelines (pipeline, id) VALUES (1, 'p');
    INSERT INTO feeds (key, pipeline, id, target, created, accepted, duplicates, completed, failed, cancelled, first, last, is_cancelled, is_forgotten)
      VALUES (68719476737, 1, 'f', 1, 0, 2, 0, 1, 0, 0, 1, 2, 0, 0);
    INSERT INTO items (key, pipeline, feed, priority, stage, status, place, ord, task, attempts, deliveries, accepted, updated, last_event, fed)
      VALUES (68719476737, 1, 1, 100, 1, 2, 0, 1, 0, 1, 0, 0, 0, 3, '{"n":1}'), (68719476738, 1, 1, 100, 1, 0, 1, 2, 0, 0, 0, 0, 0, 4, '2');
  `);
  const facts = {
    identity: { idPrefix: 'x', epoch: 'e' },
    definition: { definition: { id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] }, source: null },
    control: { state: 'running', pausedStages: [], overrides: {} },
    stages: [{ no: 1, name: 'A', next: null, isRemoved: false }],
    counters: { fed: 2, processed: 1, failed: 0, cancelled: 0, lastSequence: 2, lastOrd: 2, lastOrdinal: 1, lastEvent: 0 },
  };
  const insert = db.prepare('INSERT INTO facts (pipeline, name, json) VALUES (1, ?, ?)');
  for (const [name, value] of Object.entries(facts)) insert.run(name, JSON.stringify(value));
}

describe('the format of the file', () => {
  it.each(MIGRATIONS.map((_, i) => i + 1))('is brought from version %i to the newest without losing a row', async (version) => {
    const file = join(folderWith(), 'old.db');
    const db = new Database(file);
    migrate(db, version);
    fill(db);
    db.close();

    await (await openSqliteStore({ file, inProcess: true })).close();
    const now = new Database(file);
    const fresh = new Database(':memory:');
    migrate(fresh);
    expect(now.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length);
    expect(now.pragma('application_id', { simple: true })).toBe(APPLICATION_ID);
    expect(schemaOf(now)).toEqual(schemaOf(fresh));
    now.close();
    expect(audit(file)).toMatchObject({ faults: [], pipelines: [{ id: 'p', fed: 2, items: { completed: 1, queued: 1 }, feeds: 1 }] });
  });

  it('is left as it was when a step fails', () => {
    const db = new Database(':memory:');
    db.exec('CREATE TABLE items (other TEXT)');
    expect(() => migrate(db)).toThrow(/items already exists/);
    expect(db.pragma('user_version', { simple: true })).toBe(0);
    expect(schemaOf(db)).toHaveLength(1);
  });
});

describe('what a page is read with', () => {
  const plans: [string, string, RegExp][] = [
    [
      'a status',
      'SELECT * FROM items WHERE key > 1 AND key <= 9 AND status = 2 ORDER BY key LIMIT 5',
      /USING INDEX by_status \(status=\? AND rowid>\? AND rowid<\?\)/,
    ],
    [
      'a feed',
      'SELECT * FROM items WHERE key > 1 AND key <= 9 AND +status = 2 AND pipeline = 1 AND feed = 1 ORDER BY key LIMIT 5',
      /USING INDEX by_feed \(pipeline=\? AND feed=\? AND rowid>\? AND rowid<\?\)/,
    ],
    [
      'everything',
      'SELECT * FROM items WHERE key > 1 AND key <= 9 AND status <> 7 ORDER BY key LIMIT 5',
      /USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/,
    ],
    [
      'a queue',
      'SELECT * FROM items WHERE status = 0 AND pipeline = 1 AND stage = 1 AND priority = 100 AND ord > 5 ORDER BY ord LIMIT 5',
      /USING INDEX by_turn \(pipeline=\? AND stage=\? AND priority=\? AND ord>\?\)/,
    ],
    [
      'what comes back at one instant',
      'SELECT * FROM items WHERE status = 4 AND pipeline = 1 AND stage = 1 AND due = 9 AND key > 5 ORDER BY key LIMIT 5',
      /USING INDEX by_due \(pipeline=\? AND stage=\? AND due=\? AND rowid>\?\)/,
    ],
    [
      'what comes back later',
      'SELECT * FROM items WHERE status = 4 AND pipeline = 1 AND stage = 1 AND due > 9 ORDER BY due, key LIMIT 5',
      /USING INDEX by_due \(pipeline=\? AND stage=\? AND due>\?\)/,
    ],
    [
      'an id',
      "SELECT * FROM items WHERE pipeline = 1 AND id = 'x' AND id IS NOT NULL AND status <> 7",
      /USING INDEX by_id \(pipeline=\? AND id=\?\)/,
    ],
  ];
  it.each(plans)('%s is an index, without sorting', (_what, sql, index) => {
    const db = new Database(':memory:');
    migrate(db);
    const plan = (db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[]).map(({ detail }) => detail).join('; ');
    expect(plan).toMatch(index);
    expect(plan).not.toMatch(/TEMP B-TREE/);
  });
});
