import { csvLine, withDigits } from '../../src/client/csv.ts';
import { createSluice, type Row } from '../../src/client/index.ts';
import { authorization } from './session.ts';

/** The client of the API, with the key of this session. */
export function client() {
  return createSluice({ url: location.origin, headers: authorization() });
}

export type DownloadForm = 'ndjson' | 'csv';

export interface DownloadOptions {
  name: string;
  form: DownloadForm;
  rows: AsyncIterable<Row>;
  onRow(count: number): void;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Saves rows of results as a file. NDJSON is what the service sent, digit by digit; CSV has a column for each member of the values. */
export async function download({ name, form, rows, onRow }: DownloadOptions): Promise<void> {
  const parts: string[] = [];
  const kept: { id: string; error: string; members: Record<string, unknown> }[] = [];
  const columns = new Set<string>();
  let count = 0;
  for await (const { text, value: row } of rows) {
    if (form === 'ndjson') {
      parts.push(`${text}\n`);
    } else {
      const exact = withDigits<{ value?: unknown; input?: unknown }>(text);
      const shown = row.error === null ? exact.value : exact.input;
      const members = isRecord(shown) ? shown : { value: shown };
      for (const member of Object.keys(members)) columns.add(member);
      const { error } = row;
      kept.push({ id: row.id, error: error === null ? '' : `${error.stage}: ${error.message}`, members });
    }
    onRow(++count);
  }
  if (form === 'csv') {
    const names = [...columns].filter((column) => column !== 'id');
    const hasErrors = kept.some(({ error }) => error !== '');
    parts.push(`${csvLine(['id', ...names, ...(hasErrors ? ['error'] : [])])}\r\n`);
    for (const { id, members, error } of kept)
      parts.push(`${csvLine([id, ...names.map((column) => members[column]), ...(hasErrors ? [error] : [])])}\r\n`);
  }
  save(new Blob(parts, { type: form === 'csv' ? 'text/csv' : 'application/x-ndjson' }), `${name}.${form}`);
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has begun by then, and holds the blob.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
