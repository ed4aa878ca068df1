import type { ItemResult, Row } from '../client/index.ts';
import { csvLine, csvRow } from './csv.ts';
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

/** NDJSON is passed on as it comes, with the digits of every number; CSV has the members of a value in columns, if the first one is an object. */
export function resultWriter(format: string, { print }: Terminal): ResultWriter {
  if (format === 'ndjson') return { write: ({ text }) => print(text), end: async () => undefined };
  if (format !== 'csv') throw new CommandEnd(EXIT.usage, `-o ${format} is not a format: use ndjson or csv`);
  let members: string[] | null | undefined;
  /** Rows that came before the first value: failed items have none. */
  let held: ItemResult[] = [];
  const writeRow = ({ id, sequenceId, feedId, error, value }: ItemResult): Promise<void> => {
    const cells = members?.map((name) => (isObject(value) ? value[name] : undefined)) ?? [value];
    return print(csvRow([id, sequenceId, feedId, error?.message, error?.type, ...cells]));
  };
  const begin = async (value: unknown): Promise<void> => {
    members = isObject(value) ? Object.keys(value) : null;
    await print(csvLine([...COLUMNS, ...(members ?? ['value'])]));
    for (const row of held) await writeRow(row);
    held = [];
  };
  return {
    async write({ value: row }) {
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
