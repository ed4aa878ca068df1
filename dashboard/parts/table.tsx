import type { ComponentChildren } from 'preact';
import { ScrollBox } from './scroll-box.tsx';

export interface Column<T> {
  name: string;
  isNumber?: boolean;
  /** The class of its cell in this row, beside that of numbers. */
  classOf?: (row: T) => string;
  cell: (row: T) => ComponentChildren;
}

interface TableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
}

/** A table with all its rows; the first column names the row. A long one is a `LongTable`. */
export function Table<T>({ label, columns, rows, keyOf }: TableProps<T>) {
  return (
    <ScrollBox label={label}>
      <table class="lines">
        <TableHead columns={columns} />
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              <Cells columns={columns} row={row} />
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

export function TableHead<T>({ columns }: { columns: readonly Column<T>[] }) {
  return (
    <thead>
      <tr>
        {columns.map(({ name, isNumber }) => (
          <th key={name} scope="col" class={isNumber ? 'number' : ''}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}

/** The cells of one row. */
export function Cells<T>({ columns, row }: { columns: readonly Column<T>[]; row: T }) {
  return columns.map(({ name, isNumber, classOf, cell }, i) =>
    i === 0 ? (
      <th key={name} scope="row">
        {cell(row)}
      </th>
    ) : (
      <td key={name} class={[isNumber ? 'number' : '', classOf?.(row) ?? ''].join(' ').trim()}>
        {cell(row)}
      </td>
    ),
  );
}
