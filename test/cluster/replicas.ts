import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { packEntry, unpackEntry } from '../../src/cluster/entry/entry.ts';
import type { Log } from '../../src/cluster/log/log.ts';
import { type Replica, type ReplicaFile, replicaOf } from '../../src/cluster/replica.ts';
import { ReplicatedStore, type ReplicatedStoreOptions } from '../../src/cluster/replicated-store.ts';
import { type Clock, type Logger, silentLogger } from '../../src/engine/ports.ts';
import { StoreTrouble } from '../../src/engine/store.ts';
import { openSqliteReplica } from '../../src/stores/sqlite/replica.ts';
import { folderWith } from '../loader/folder.ts';

export const AT = Date.UTC(2026, 0, 1);
export const LEASE_MS = 10_000;

let claims = 0;

/** A path in a folder that goes with its test. */
export const newFile = (name = 'node.db'): string => join(folderWith(), name);

/** The replica of a file, closed with its test. */
export async function replicaAt(file = newFile()): Promise<Replica> {
  const replica = replicaOf(await openSqliteReplica({ file, inProcess: true }));
  onTestFinished(() => replica.close().catch(() => undefined));
  return replica;
}

/** The same, whose disk fails as long as `fault` says so. */
export async function failingReplicaAt(file = newFile()): Promise<{ replica: Replica; disk: { fault: string | null } }> {
  const disk: { fault: string | null } = { fault: null };
  const opened: ReplicaFile = await openSqliteReplica({ file, inProcess: true });
  const write = opened.write.bind(opened);
  opened.write = async (...args) => {
    if (disk.fault !== null) throw new StoreTrouble(disk.fault);
    return write(...args);
  };
  const replica = replicaOf(opened);
  onTestFinished(() => replica.close());
  return { replica, disk };
}

/** Begins an ownership for a node whose file has the whole log; returns its epoch. */
export async function claim(log: Log, replica: Replica, node = 'a', at = AT): Promise<number> {
  const bytes = packEntry({ kind: 'own', node, url: `http://${node}`, at, nonce: ++claims, prev: replica.token });
  const position = replica.position + 1;
  await log.append(replica, bytes);
  await replica.apply({ position, bytes }, unpackEntry(bytes));
  return position;
}

export function storeOn(log: Log, replica: Replica, clock: Clock, options: Partial<ReplicatedStoreOptions> = {}): ReplicatedStore {
  const { epoch } = replica.ownership;
  return new ReplicatedStore({ log, replica, clock, epoch, node: 'a', url: 'http://a', leaseMs: LEASE_MS, ...options });
}

/** The rows of a file, without what is of the file itself and not of its log. */
export function contentOf(file: string): Record<string, unknown[]> {
  return readAll(file, (rows) => rows.all());
}

/** Whether two files have the same rows: faster than a comparison of {@link contentOf}, and does not say where they differ. */
export function haveSameContent(one: string, other: string): boolean {
  const [mine, theirs] = [one, other].map((file) => readAll(file, (rows) => rows.raw().all() as unknown[][])) as [Raw, Raw];
  const tables = Object.keys(mine);
  return (
    tables.join() === Object.keys(theirs).join() && tables.every((table) => areSame(mine[table] ?? [], theirs[table] ?? [], areSameRow))
  );
}

type Raw = Record<string, unknown[][]>;

function readAll<T>(file: string, read: (rows: Database.Statement) => T): Record<string, T> {
  const db = new Database(file, { readonly: true });
  try {
    const own = "pipeline = 0 AND name IN ('life', 'process', 'written', 'place')";
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all() as string[];
    return Object.fromEntries(
      tables.map((table) => [
        table,
        read(db.prepare(`SELECT * FROM ${table} ${table === 'facts' ? `WHERE NOT (${own})` : ''} ORDER BY 1, 2`)),
      ]),
    );
  } finally {
    db.close();
  }
}

function areSame<T>(one: readonly T[], other: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return one.length === other.length && one.every((value, i) => same(value, other[i] as T));
}

function areSameRow(one: readonly unknown[], other: readonly unknown[]): boolean {
  return areSame(one, other, (a, b) => a === b || (Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b)));
}

/** What was logged as an error, or as a warning. */
export function logging(): { logger: Logger; errors: string[]; warnings: string[] } {
  const [errors, warnings]: [string[], string[]] = [[], []];
  const into = (list: string[]) => (_fields: object, message: string) => void list.push(message);
  return { logger: { ...silentLogger, error: into(errors), warn: into(warnings) }, errors, warnings };
}
