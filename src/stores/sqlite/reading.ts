import type { Database, Statement } from 'better-sqlite3';
import { toldOf } from './trouble.ts';

/** A statement that reads. It throws a {@link StoreTrouble} when the disk is to blame, and SQLite's own error for a fault of ours. */
export interface Reading {
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  /** The rows one by one; whoever stops before the last one returns the iterator. */
  iterate(...values: unknown[]): Iterable<unknown>;
}

export function reading(db: Database, sql: string): Reading {
  const statement = told(() => db.prepare<unknown[]>(sql));
  return {
    get: (...values) => told(() => statement.get(...values)),
    all: (...values) => told(() => statement.all(...values)),
    iterate: (...values) => rowsOf(statement, values),
  };
}

function* rowsOf(statement: Statement<unknown[]>, values: unknown[]): Generator<unknown> {
  try {
    yield* statement.iterate(...values);
  } catch (error) {
    throw toldOf(error);
  }
}

function told<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw toldOf(error);
  }
}
