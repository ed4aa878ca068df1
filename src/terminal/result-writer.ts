import { csvLine, withDigits } from '../client/csv.ts';
import type { ItemResult, Row } from '../client/index.ts';
import { CommandEnd, EXIT } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** Writes results, one a line. */
export interface ResultWriter {
  write(row: Row): Promise<void>;
  /** Writes the head of a table without results. */
  end(): Promise<void>;
}

const COLUMNS = ['id', 'sequenceId', 'feedId', 'error', 'errorType'];
const HELD_MAX = 1000;

/** NDJSON is passed on as it comes; CSV is a table. Both have the digits of every integer. */
export function resultWriter(format: string, { printData }: Pick<Terminal, 'printData'>): ResultWriter {
  if (format === 'ndjson') return { write: ({ text }) => printData(text), end: async () => undefined };
  if (format !== 'csv') throw new CommandEnd(EXIT.usage, `-o ${format} is not a format: use ndjson or csv`);
  return createTable(printData);
}

/**
 * The first value says the columns: a column for each member of an object, or one for the whole. Rows are written as they come, so nothing that comes later makes
 * a column; what has none is JSON in the last one.
 */
function createTable(print: (line: string) => Promise<void>): ResultWriter {
  let members: string[] | null | undefined;
  /** Rows that came before the first value: failed items have none. */
  let held: ItemResult[] = [];
  const writeRow = ({ id, sequenceId, feedId, error, value }: ItemResult): Promise<void> => {
    const cells = members === undefined || members === null ? [value] : cellsOf(members, value, error === null);
    return print(csvLine([id, sequenceId, feedId, error?.message, error?.type, ...cells]));
  };
  const begin = async (value: unknown): Promise<void> => {
    members = isObject(value) ? Object.keys(value) : null;
    await print(csvLine([...COLUMNS, ...(members === null ? ['value'] : [...members, nameOfRest(members)])]));
    for (const row of held) await writeRow(row);
    held = [];
  };
  return {
    async write({ text }) {
      const row = withDigits<ItemResult>(text);
      if (members === undefined) {
        if (row.error !== null && held.length < HELD_MAX) return void held.push(row);
        await begin(row.value);
      }
      await writeRow(row);
    },
    async end() {
      if (members === undefined) await begin(null);
    },
  };
}

/** Cells for the members, and one for what has no column. An item that failed has no value to lose. */
function cellsOf(members: readonly string[], value: unknown, hasValue: boolean): unknown[] {
  if (!isObject(value)) return [...members.map(() => null), hasValue ? JSON.stringify(value) : null];
  const known = new Set(members);
  const rest = Object.entries(value).filter(([name]) => !known.has(name));
  const cells = members.map((name) => (Object.hasOwn(value, name) ? value[name] : undefined));
  return [...cells, rest.length === 0 ? null : JSON.stringify(Object.fromEntries(rest))];
}

/** `rest`, or a longer name where a member is called so. */
function nameOfRest(members: readonly string[]): string {
  let name = 'rest';
  while (members.includes(name)) name += '_';
  return name;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
