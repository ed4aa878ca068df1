import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Cells, type Column, TableHead } from './table.tsx';

/** All rows are as high as this, so that where one is can be told without drawing the others. */
const ROW_PX = 40;
const SPARE_ROWS = 10;

interface LongTableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  /** Called when the end comes into sight. */
  onEnd?: () => void;
}

/** A table of any length that draws only the rows in sight. */
export function LongTable<T>({ label, columns, rows, keyOf, onEnd }: LongTableProps<T>) {
  const box = useRef<HTMLElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = (): void => {
      top.value = element.scrollTop;
      height.value = element.clientHeight;
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, [height, top]);
  const first = Math.max(0, Math.floor(top.value / ROW_PX) - SPARE_ROWS);
  const last = Math.min(rows.length, Math.ceil((top.value + height.value) / ROW_PX) + SPARE_ROWS);
  const isAtEnd = last >= rows.length;
  useEffect(() => {
    if (isAtEnd && rows.length > 0) onEnd?.();
  }, [isAtEnd, rows.length, onEnd]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard (axe: scrollable-region-focusable)
    <section ref={box} class="card flush long-table" aria-label={label} tabIndex={0}>
      <table class="lines" aria-rowcount={rows.length + 1}>
        <TableHead columns={columns} />
        <tbody>
          <Spacer rows={first} columns={columns.length} />
          {rows.slice(first, last).map((row, i) => (
            <tr key={keyOf(row)} aria-rowindex={first + i + 2}>
              <Cells columns={columns} row={row} />
            </tr>
          ))}
          <Spacer rows={rows.length - last} columns={columns.length} />
        </tbody>
      </table>
    </section>
  );
}

/** Takes the room of rows that are out of sight. */
function Spacer({ rows, columns }: { rows: number; columns: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="spacer">
      <td
        colSpan={columns}
        ref={(element) => {
          if (element !== null) element.style.height = `${rows * ROW_PX}px`;
        }}
      />
    </tr>
  );
}
