/** The files of nodes, compared by their content. */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { audit } from '../../../src/stores/sqlite/audit.ts';
import type { Node } from './nodes.ts';

/** A hash for each table: all rows in an order that does not depend on how they came there, but for the place in the log: one may have a beat of the owner more. */
function contentOf(file: string): Map<string, string> {
  const db = new Database(file, { readonly: true });
  try {
    const tables = db
      .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name")
      .pluck()
      .all();
    return new Map(
      (tables as string[]).map((table) => {
        const columns = db.prepare(`select name from pragma_table_info(?)`).pluck().all(table) as string[];
        const which = table === 'facts' ? "where name not in ('place', 'process')" : '';
        const rows = db.prepare(`select * from "${table}" ${which} order by ${columns.map((name) => `"${name}"`).join(', ')}`).raw();
        const hash = createHash('sha256');
        for (const row of rows.iterate() as Iterable<unknown[]>) {
          for (const cell of row) hash.update(cell instanceof Uint8Array ? cell : JSON.stringify(cell)).update('\0');
        }
        return [table, hash.digest('hex')];
      }),
    );
  } finally {
    db.close();
  }
}

/** The facts in which two files differ, which say best what is wrong. */
function differing(files: readonly { name: string; path: string }[], name: string): string {
  const facts = ({ path }: { path: string }): Map<string, string> => {
    const db = new Database(path, { readonly: true });
    try {
      const rows = db.prepare("select pipeline || ' ' || name, json from facts where name not in ('place', 'process')").raw().all() as [
        string,
        string,
      ][];
      return new Map(rows);
    } finally {
      db.close();
    }
  };
  const [a, b] = [files[0], files.find((file) => file.name === name)].map((file) => facts(file as { path: string }));
  const names = new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])]);
  const unlike = [...names].filter((fact) => a?.get(fact) !== b?.get(fact));
  return unlike
    .slice(0, 3)
    .map((fact) => `${fact}: ${a?.get(fact)?.slice(0, 200)} / ${b?.get(fact)?.slice(0, 200)}`)
    .join('; ');
}

/** Every way in which the files of nodes that have applied the same differ, or are damaged. */
export function copyFaults(nodes: readonly Node[]): string[] {
  const files = nodes.map(({ name, dataDir }) => {
    const file = readdirSync(dataDir).find((each) => each.endsWith('.db')) ?? 'none.db';
    return { name, path: join(dataDir, file) };
  });
  const faults = files.flatMap(({ name, path }) => audit(path).faults.map((fault) => `${name}: ${fault}`));
  const [first, ...others] = files.map(({ name, path }) => ({ name, tables: contentOf(path) }));
  for (const other of others) {
    for (const [table, hash] of first?.tables ?? []) {
      if (other.tables.get(table) !== hash)
        faults.push(`${differing(files, other.name)}: the table ${table} of ${first?.name} and of ${other.name} differ`);
    }
  }
  return faults;
}
