/** Beyond this a value is cut: JSON.stringify is recursive, and so is this. */
const DEPTH_MAX = 200;

/**
 * A copy of a value that JSON.stringify cannot fail on. A task may return anything; what JSON has no word for becomes the
 * nearest thing: bigint its digits, Map and Set what JSON makes of them, a cycle, a throwing getter or a too deep part a marker.
 */
export function toJsonSafe(value: unknown): unknown {
  return copy(value, new Set(), 0);
}

function copy(value: unknown, parents: Set<object>, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (parents.has(value)) return '[circular]';
  if (depth > DEPTH_MAX) return '[too deep]';
  parents.add(value);
  try {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return copy(toJSON.call(value), parents, depth + 1);
    if (Array.isArray(value)) return value.map((entry) => copy(entry, parents, depth + 1) ?? null);
    return Object.fromEntries(Object.keys(value).map((key) => [key, copyField(value, key, parents, depth)]));
  } catch {
    return '[not serialisable]';
  } finally {
    parents.delete(value);
  }
}

function copyField(holder: object, key: string, parents: Set<object>, depth: number): unknown {
  try {
    return copy((holder as Record<string, unknown>)[key], parents, depth + 1);
  } catch {
    return '[not serialisable]';
  }
}
