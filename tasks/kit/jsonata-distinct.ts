import type { Focus } from './jsonata-focus.ts';

/** `$distinct`, in one pass over a key for each value where JSONata compares each with each. */
export function distinctOf(this: Focus, arr: unknown): unknown {
  if (!Array.isArray(arr) || arr.length <= 1) return arr;
  const found: unknown[] = (arr as { sequence?: unknown }).sequence === true ? this.createSequence() : [];
  const known = new Set<unknown>();
  for (const value of arr) {
    const key = typeof value === 'object' && value !== null ? keyOf(value) : value;
    // NaN equals nothing, not even itself.
    if (Number.isNaN(key)) found.push(value);
    else if (!known.has(key)) {
      known.add(key);
      found.push(value);
    }
  }
  return found;
}

/** Equal for what JSONata holds equal: members in any order, whatever has an identity of its own equal to itself only. */
function keyOf(value: object): string {
  return `object ${write(value)}`;
}

const identities = new WeakMap<WeakKey, number>();
let identitiesGiven = 0;

function write(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Number.isNaN(value) ? `NaN${++identitiesGiven}` : String(value);
    case 'function':
      return identityOf(value);
    case 'object':
      break;
    default:
      return String(value);
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if ('_jsonata_lambda' in value || '_jsonata_function' in value) return identityOf(value);
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${write((value as Record<string, unknown>)[key])}`);
  return `{${members.join()}}`;
}

function identityOf(value: WeakKey): string {
  let identity = identities.get(value);
  if (identity === undefined) {
    identity = ++identitiesGiven;
    identities.set(value, identity);
  }
  return `#${identity}`;
}
