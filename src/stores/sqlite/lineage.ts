/**
 * Whether a file is the one with which the process before this one worked here. A backup that was put in its place is not: it lacks what came after
 * it, of which readers were told, and the numbers of those events are given again, to others. So what comes next is of a new line, in all its pipelines: a reader
 * whose last event is in the backup goes on after that, and one whose last event is not is told of a gap.
 *
 * Each start gives itself a number, in the file and in the one beside it that says what runs. They agree as long as both are of the same life; of a
 * copy made by `backup` no number is right.
 */
import { randomBytes, randomInt } from 'node:crypto';
import type { Database } from 'better-sqlite3';
import { OF_STORE, ORDER, type StoredLines } from '../../engine/store.ts';
import { LIVES } from './marks.ts';

interface Lineage {
  life: number;
  /** The number that was beside the file when this life began: it still is, when the start was cut short. 0: none. */
  before: number;
}

const NAME = 'life';
const COPY: Lineage = { life: -1, before: -1 };

/** Begins a life, in one transaction with what follows from the one before. `beside`: the number beside the file; 0 when there is none. */
export function beginLife(db: Database, beside: number): number {
  const life = randomInt(1, LIVES);
  db.transaction(() => {
    const known = lineageOf(db);
    // A version that knew no lives has left the file.
    const isSame = known === null || (beside !== 0 && (known.life === beside || known.before === beside));
    if (!isSame) beginLines(db);
    set(db, { life, before: beside });
  }).immediate();
  return life;
}

/** Has the file taken for a copy when it is started with, wherever that is. */
export function markCopy(db: Database): void {
  set(db, COPY);
}

function lineageOf(db: Database): Lineage | null {
  const json = db.prepare('SELECT json FROM facts WHERE pipeline = ? AND name = ?').pluck().get(OF_STORE, NAME) as string | undefined;
  return json === undefined ? null : JSON.parse(json);
}

function set(db: Database, lineage: Lineage): void {
  db.prepare('INSERT OR REPLACE INTO facts (pipeline, name, json) VALUES (?, ?, ?)').run(OF_STORE, NAME, JSON.stringify(lineage));
}

/** Says so in the facts, from where the next event of each pipeline takes it: a start that is cut short before one leaves it there. */
function beginLines(db: Database): void {
  const rows = db.prepare(
    "SELECT pipeline, name, json FROM facts WHERE (pipeline > 0 AND name = 'identity') OR (pipeline = ? AND name = ?)",
  );
  const update = db.prepare('UPDATE facts SET json = ? WHERE pipeline = ? AND name = ?');
  for (const { pipeline, name, json } of rows.all(OF_STORE, ORDER) as { pipeline: number; name: string; json: string }[]) {
    const lines: StoredLines = { ...JSON.parse(json), next: randomBytes(6).toString('hex') };
    update.run(JSON.stringify(lines), pipeline, name);
  }
}
