/** Numbers and instants as words. All of them are shown in tabular figures, so that nothing moves when they change. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const clockSeconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export function count(value: number): string {
  return value < 100_000 ? whole.format(value) : compact.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function rate(perSecond: number): string {
  if (perSecond === 0) return '0/s';
  if (perSecond < 0.1) return `${Number((perSecond * 60).toPrecision(2))}/min`;
  return `${perSecond < 10 ? Number(perSecond.toPrecision(2)) : count(Math.round(perSecond))}/s`;
}

export function duration(seconds: number | null): string {
  if (seconds === null) return '–';
  if (seconds < 0.001) return seconds === 0 ? '0 s' : '< 1 ms';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min${minutes < 10 && seconds % 60 >= 1 ? ` ${Math.floor(seconds % 60)} s` : ''}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h${minutes % 60 > 0 ? ` ${minutes % 60} min` : ''}`;
  return `${Math.floor(hours / 24)} d`;
}

export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  if (size < 1_000_000) return `${Number((size / 1000).toPrecision(3))} kB`;
  return `${Number((size / 1_000_000).toPrecision(3))} MB`;
}

/** The time of day of an instant, with its day if that is another. */
export function at(instant: string | number, withSeconds = false): string {
  const date = new Date(instant);
  const time = (withSeconds ? clockSeconds : clock).format(date);
  return date.toDateString() === new Date().toDateString() ? time : `${day.format(date)}, ${time}`;
}

/** When something that takes so many seconds from now will be done. */
export function doneAt(etaSeconds: number): string {
  return at(Date.now() + etaSeconds * 1000, etaSeconds < 90);
}

export function ago(instant: string, now = Date.now()): string {
  return duration(Math.max(0, Math.round((now - Date.parse(instant)) / 1000)));
}

/** A list as a sentence has it: `a, b and c`. */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
