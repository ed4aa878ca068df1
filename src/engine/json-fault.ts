const DEEPEST = 200;

/**
 * What keeps a value from being JSON without loss, or null: a bigint, a function, a symbol, NaN or an infinity, a Map or
 * another container that would come out empty, a cycle. `undefined` is allowed, it reads as null or is left out.
 */
export function jsonFault(value: unknown): string | null {
  return look(value, '', 0);
}

function look(value: unknown, path: string, depth: number): string | null {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return null;
    case 'number':
      return Number.isFinite(value) ? null : fault(path, `is ${value}`);
    case 'object':
      break;
    default:
      return fault(path, `is a ${typeof value}`);
  }
  if (value === null) return null;
  if (depth > DEEPEST) return fault(path, `is nested deeper than ${DEEPEST} levels, or refers to itself`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = look(value[i], `${path}/${i}`, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }
  try {
    const plain = value as { toJSON?: unknown };
    if (typeof plain.toJSON === 'function') {
      JSON.stringify(value);
      return null;
    }
    if (value instanceof Map || value instanceof Set || value instanceof WeakMap || value instanceof Promise || ArrayBuffer.isView(value)) {
      return fault(path, `is a ${value.constructor.name}`);
    }
    for (const key of Object.keys(value)) {
      const found = look((value as Record<string, unknown>)[key], `${path}/${key}`, depth + 1);
      if (found !== null) return found;
    }
    return null;
  } catch (error) {
    return fault(path, `cannot be read: ${error instanceof Error ? error.message : 'it threw'}`);
  }
}

function fault(path: string, what: string): string {
  return `the stage's result is no JSON: ${path === '' ? 'it' : path} ${what}`;
}
