import { widthOf } from './width.ts';

/** A count as people read it: 1,204 or 1.2 M. */
export function count(value: number): string {
  if (value < 1_000_000) return Math.round(value).toLocaleString('en-US');
  return value < 1e9 ? `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)} M` : `${(value / 1e9).toFixed(2)} G`;
}

export const rate = (perSecond: number): string => `${perSecond < 10 && perSecond > 0 ? perSecond.toFixed(1) : count(perSecond)}/s`;

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** step;
  return `${step === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[step]}`;
}

/** A duration in its two largest units; a dash for an unknown one. */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '–';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A bar of this many columns that is filled to a fraction. */
export function bar(fraction: number, width: number): string {
  const filled = Math.max(0, Math.min(1, fraction)) * width;
  const whole = Math.floor(filled);
  const part = whole < width ? ' ▏▎▍▌▋▊▉'.charAt(Math.floor((filled - whole) * 8)) : '';
  return `${'█'.repeat(whole)}${part}`.padEnd(width);
}

export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

/** Lines of a table whose columns are as wide as their widest cell; columns of `right` are aligned there. */
export function table(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, widthOf(cell))), []);
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const room = ' '.repeat((widths[i] ?? 0) - widthOf(cell));
        return right.has(i) ? room + cell : cell + room;
      })
      .join('  ')
      .trimEnd(),
  );
}
