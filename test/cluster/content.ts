import Database from 'better-sqlite3';

type Rows = Record<string, unknown[]>;
type RawRows = Record<string, unknown[][]>;

/** The facts that a copy has of itself alone, and not of its log. */
const OWN_FACTS = "pipeline = 0 AND name IN ('life', 'process', 'written', 'place')";

/** The rows of a file, without what is of the file itself and not of its log; read as often as it is asked for. To be closed before the file is replaced. */
export class FileContent {
  private readonly db: Database.Database;
  private readonly tables: readonly (readonly [table: string, rows: Database.Statement])[];

  constructor(file: string) {
    this.db = new Database(file, { readonly: true });
    try {
      const names = this.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all() as string[];
      this.tables = names.map((table) => {
        const where = table === 'facts' ? `WHERE NOT (${OWN_FACTS})` : '';
        return [table, this.db.prepare(`SELECT * FROM ${table} ${where} ORDER BY 1, 2`)];
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** By their columns. */
  rows(): Rows {
    return this.read((rows) => rows.raw(false).all());
  }

  /** Made faster than {@link FileContent.rows}, and enough for {@link areSameRows}. */
  rawRows(): RawRows {
    return this.read((rows) => rows.raw(true).all() as unknown[][]);
  }

  close(): void {
    this.db.close();
  }

  private read<T>(read: (rows: Database.Statement) => T): Record<string, T> {
    return this.db.transaction(() => Object.fromEntries(this.tables.map(([table, rows]) => [table, read(rows)])))();
  }
}

/** The rows of a file, read once. */
export function contentOf(file: string): Rows {
  const content = new FileContent(file);
  try {
    return content.rows();
  } finally {
    content.close();
  }
}

export function areSameRows(one: RawRows, other: RawRows): boolean {
  const tables = Object.keys(one);
  return tables.join() === Object.keys(other).join() && tables.every((table) => areSame(one[table] ?? [], other[table] ?? [], areSameRow));
}

function areSame<T>(one: readonly T[], other: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return one.length === other.length && one.every((value, i) => same(value, other[i] as T));
}

function areSameRow(one: readonly unknown[], other: readonly unknown[]): boolean {
  return areSame(one, other, (a, b) => a === b || (Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b)));
}
