import Database from 'better-sqlite3';
import { OF_STORE, STATUS_CODES } from '../../engine/store.ts';
import { checkFile, StoreFileError } from './file.ts';
import { keyOf } from './schema.ts';

/** The contents of a file for one pipeline. */
export interface PipelineAudit {
  id: string;
  state: string;
  items: Record<string, number>;
  fed: number;
  retired: number;
  feeds: number;
  events: number;
  faults: string[];
}

export interface FileAudit {
  version: number;
  bytes: number;
  /** Part of `bytes`: free pages, used again before the file grows; `store compact` gives them back. */
  freeBytes: number;
  pipelines: PipelineAudit[];
  /** How many limiters were changed by hand, and of how many keys of limiters the window or a hold is kept. */
  limiters: { changed: number; windows: number };
  /** Everything that is wrong, those of the pipelines too. */
  faults: string[];
}

/** Names of what is kept of limiters begin so; the name of one follows, and for a window its key. */
const LIMITERS = 'limiter ';

const STATUS_NAMES = new Map<number, string>(Object.entries(STATUS_CODES).map(([name, code]) => [code, name]));

interface Counters {
  fed: number;
  processed: number;
  failed: number;
  cancelled: number;
  retired: number;
  lastSequence: number;
  lastEvent: number;
}

/**
 * Reads a store through, while the service works with it or not, and changes nothing: whether the file is whole, whether what it
 * counts is what it holds (invariant 9: fed = processed + failed + cancelled + in flight), and what that is.
 */
export function audit(file: string): FileAudit {
  if (checkFile(file) === 'new') throw new StoreFileError(`${file} does not exist`);
  const db = new Database(file, { readonly: true, fileMustExist: true });
  try {
    // One view of the file, whatever is written meanwhile.
    return db.transaction(() => {
      const found = (db.pragma('integrity_check(20)') as { integrity_check: string }[]).map((row) => row.integrity_check);
      const faults = found[0] === 'ok' ? [] : found;
      const rows = db.prepare('SELECT pipeline, id FROM pipelines WHERE is_dropped = 0 ORDER BY pipeline').all() as {
        pipeline: number;
        id: string;
      }[];
      const pipelines = rows.map(({ pipeline, id }) => auditPipeline(db, pipeline, id));
      faults.push(...pipelines.flatMap((each) => each.faults.map((fault) => `${each.id}: ${fault}`)));
      const limiters = auditLimiters(db, faults);
      const numberOf = (name: string): number => db.pragma(name, { simple: true }) as number;
      const pageSize = numberOf('page_size');
      const [bytes, freeBytes] = [numberOf('page_count') * pageSize, numberOf('freelist_count') * pageSize];
      return { version: numberOf('user_version'), bytes, freeBytes, pipelines, limiters, faults };
    })();
  } finally {
    db.close();
  }
}

function auditLimiters(db: Database.Database, faults: string[]): FileAudit['limiters'] {
  const rows = db
    .prepare('SELECT name, json FROM facts WHERE pipeline = ? AND name > ? AND name < ?')
    .all(OF_STORE, LIMITERS, `${LIMITERS.trimEnd()}!`) as { name: string; json: string }[];
  const found = { changed: 0, windows: 0 };
  for (const { name, json } of rows) {
    const isWindow = name.slice(LIMITERS.length).includes(' ');
    found[isWindow ? 'windows' : 'changed']++;
    try {
      JSON.parse(json);
    } catch {
      faults.push(`what is kept of the ${name} is not JSON`);
    }
  }
  return found;
}

function auditPipeline(db: Database.Database, pipeline: number, id: string): PipelineAudit {
  const [from, to] = [keyOf(pipeline, 0), keyOf(pipeline + 1, 0)];
  const facts = Object.fromEntries(
    (db.prepare('SELECT name, json FROM facts WHERE pipeline = ?').all(pipeline) as { name: string; json: string }[]).map(
      ({ name, json }) => [name, json],
    ),
  );
  const missing = ['identity', 'definition', 'control', 'stages', 'counters'].filter((name) => facts[name] === undefined);
  const counters = JSON.parse(facts.counters ?? '{}') as Partial<Counters>;
  const { fed = 0, processed = 0, failed = 0, cancelled = 0, retired = 0, lastSequence = 0, lastEvent = 0 } = counters;
  const counts = db.prepare('SELECT status, count(*) AS count FROM items WHERE key > ? AND key < ? GROUP BY status').all(from, to);
  const items: Record<string, number> = {};
  for (const { status, count } of counts as { status: number; count: number }[]) {
    const name = STATUS_NAMES.get(status);
    if (name !== undefined) items[name] = count;
  }
  const inFlight = (items.queued ?? 0) + (items.in_progress ?? 0) + (items.retrying ?? 0);
  const faults = missing.map((name) => `it has no ${name}`);
  if (fed !== processed + failed + cancelled + inFlight) {
    faults.push(`${fed} were fed; ${processed} completed, ${failed} failed, ${cancelled} were cancelled, and ${inFlight} are in flight`);
  }
  const highest = db.prepare('SELECT max(key) - ? AS seq FROM items WHERE key > ? AND key < ?').get(from, from, to) as {
    seq: number | null;
  };
  if ((highest.seq ?? 0) > lastSequence) faults.push(`an item has the sequence id ${highest.seq}, the last one given is ${lastSequence}`);
  const chunks = db.prepare('SELECT first, last FROM events WHERE pipeline = ? ORDER BY last').all(pipeline) as {
    first: number;
    last: number;
  }[];
  const broken = chunks.find(({ first }, i) => i > 0 && first !== (chunks[i - 1] as { last: number }).last + 1);
  if (broken !== undefined) faults.push(`events before ${broken.first} are missing`);
  if ((chunks.at(-1)?.last ?? lastEvent) !== lastEvent) faults.push(`the last event is ${chunks.at(-1)?.last}, counted were ${lastEvent}`);
  const orphans = db
    .prepare(
      'SELECT count(*) AS count FROM items WHERE key > ? AND key < ? AND NOT EXISTS (SELECT 1 FROM feeds WHERE feeds.key = items.feed + ?)',
    )
    .get(from, to, from) as { count: number };
  if (orphans.count > 0) faults.push(`${orphans.count} items have no feed`);
  const feeds = db.prepare('SELECT count(*) AS count FROM feeds WHERE key > ? AND key < ?').get(from, to) as { count: number };
  const events = chunks.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const { state = 'created' } = JSON.parse(facts.control ?? '{}') as { state?: string };
  return { id, state, items, fed, retired, feeds: feeds.count, events, faults };
}
