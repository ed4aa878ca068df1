type Members = Record<string, unknown>;

const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);
const LENGTH_MAX = 300;

/** What differs between two values, member by member: `workers: 2 → 3`. */
export function changeText(before: unknown, after: unknown): string {
  const text = partsOf(before, after, '').join(', ');
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text;
}

function partsOf(before: unknown, after: unknown, place: string): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (isObject(before) && isObject(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
      partsOf(before[name], after[name], place === '' ? name : `${place}.${name}`),
    );
  }
  const told = `${words(before)} → ${words(after)}`;
  return [place === '' ? told : `${place}: ${told}`];
}

function words(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
