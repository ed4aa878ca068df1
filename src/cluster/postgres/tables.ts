/** The tables of a schema, and how they come to be. */
import { lastingFault, UnusableServer } from './errors.ts';
import type { Session } from './session.ts';
import type { PostgresPlace } from './url.ts';

/** Each brings the tables from the format of its place to the next. Never changed once released; a new one is added at the end. */
const MIGRATIONS: readonly ((schema: string) => readonly string[])[] = [
  (schema) => [
    // The row 0 stands before the first entry, as each entry stands before the next; see the statement that appends.
    `create table ${schema}.log (position bigint primary key, bytes bytea not null)`,
    `insert into ${schema}.log values (0, '')`,
    // Not compressed: bytes of entries and files are packed already, and the owner waits for them.
    `alter table ${schema}.log alter bytes set storage external`,
    `create table ${schema}.snapshots (
       id bigint generated always as identity primary key, position bigint not null,
       bytes bigint, chunks int, sha256 text,
       touched_at timestamptz not null default clock_timestamp(), finished_at timestamptz)`,
    `create table ${schema}.snapshot_chunks (
       snapshot bigint not null references ${schema}.snapshots on delete cascade, number int not null, bytes bytea not null,
       primary key (snapshot, number))`,
    `alter table ${schema}.snapshot_chunks alter bytes set storage external`,
    `create table ${schema}.nodes (
       name text primary key, url text not null, role text not null, position bigint not null, hands int not null,
       version text not null, format int not null, seen_at timestamptz not null)`,
  ],
];

/** The format that this version makes and reads. */
export const TABLES_FORMAT = MIGRATIONS.length;

/** The setting under which a commit is on disk, as an expression: the server's own one where that waits for even more. */
export const DURABLE = "case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end";

/** The name of the schema between quotes; {@link readPostgresUrl} lets no others through. */
export const quoted = (schema: string): string => `"${schema}"`;

/**
 * Makes what is missing of the schema and its tables in one transaction. Nodes that start at the same time wait for each other. Throws
 * {@link UnusableServer} when a newer version made them, or they are not there and may not be made.
 */
export async function makeTables(session: Session, { schema, shown }: PostgresPlace, mayCreate: boolean): Promise<void> {
  const name = quoted(schema);
  const run = (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => session.ask({ text, values });
  await run('begin');
  try {
    await run('select pg_advisory_xact_lock(hashtextextended($1, 66))', [schema]);
    // A table that is there needs no privilege to make one.
    const made = await run("select 1 from pg_tables where schemaname = $1 and tablename = 'format'", [schema]);
    if (made.length === 0 && !mayCreate) throw new UnusableServer(`${shown} has no data of Sluice`);
    const there = await run('select 1 from pg_namespace where nspname = $1', [schema]);
    if (there.length === 0) await run(`create schema ${name}`);
    if (made.length === 0) {
      await run(`create table ${name}.format (number int not null)`);
      await run(`insert into ${name}.format values (0)`);
    }
    const [row] = await run(`select number from ${name}.format`);
    const format = Number(row?.number ?? 0);
    if (format > TABLES_FORMAT) {
      throw new UnusableServer(
        `${shown} was made by a newer version of Sluice (its format is ${format}, this one knows ${TABLES_FORMAT}). Start that version.`,
      );
    }
    for (const migration of MIGRATIONS.slice(format)) for (const text of migration(name)) await run(text);
    if (format < TABLES_FORMAT) await run(`update ${name}.format set number = $1`, [TABLES_FORMAT]);
    await run('commit');
  } catch (error) {
    // What cannot be rolled back any more has lost its connection, and the transaction with it.
    if (session.isConnected) await run('rollback').catch(() => session.close());
    throw lastingFault(error, shown) ?? error;
  }
}
