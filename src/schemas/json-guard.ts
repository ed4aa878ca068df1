/** Deeper values overflow the stack of what handles them later: serialising, cloning, comparing. */
export const JSON_DEPTH_MAX = 64;

/**
 * Whether strings and keys of a JSON text can be nothing but what they seem to be: no escape that could spell a lone surrogate or a name, and
 * none of the names that {@link guardJson} refuses. The text itself has no lone surrogate, since it was decoded from UTF-8.
 */
export function isPlainText(text: string): boolean {
  return !text.includes('\\u') && !text.includes('__proto__') && !text.includes('prototype');
}

/**
 * Looks for what JSON.parse lets through and Sluice refuses: nesting over {@link JSON_DEPTH_MAX}, numbers that overflowed to
 * Infinity, lone surrogates (they cannot be written as UTF-8), and keys that would poison a prototype.
 *
 * Level by level with two arrays, never recursive: the input may be nested as deep as it likes.
 *
 * `isPlain`: what {@link isPlainText} says of the text, or a longer one, that the value was parsed from. Then only depth and numbers are looked at.
 *
 * @returns what is wrong, to stand after "The body" or "The line"; null when nothing is.
 */
export function guardJson(value: unknown, isPlain = false): string | null {
  if (isPlain && isTame(value, 0)) return null;
  let level: object[] = [];
  const rootFault = check(value, level);
  if (rootFault !== null) return rootFault;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > JSON_DEPTH_MAX) return `is nested deeper than ${JSON_DEPTH_MAX} levels`;
    const next: object[] = [];
    for (const node of level) {
      const fault = Array.isArray(node) ? checkArray(node, next) : checkObject(node as Record<string, unknown>, next);
      if (fault !== null) return fault;
    }
    level = next;
  }
  return null;
}

/** Whether it is not too deep and its numbers are finite. */
function isTame(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth === JSON_DEPTH_MAX) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isTame(value[i], depth + 1)) return false;
    return true;
  }
  // What JSON.parse makes has no members but its own.
  for (const key in value) if (!isTame((value as Record<string, unknown>)[key], depth + 1)) return false;
  return true;
}

function check(value: unknown, next: object[]): string | null {
  switch (typeof value) {
    case 'object':
      if (value !== null) next.push(value);
      return null;
    case 'string':
      return value.isWellFormed() ? null : 'holds a lone surrogate, which is not valid Unicode';
    case 'number':
      return Number.isFinite(value) ? null : 'holds a number that is too large';
    default:
      return null;
  }
}

function checkArray(node: unknown[], next: object[]): string | null {
  for (const value of node) {
    const fault = check(value, next);
    if (fault !== null) return fault;
  }
  return null;
}

function checkObject(node: Record<string, unknown>, next: object[]): string | null {
  for (const key of Object.keys(node)) {
    if (key === '__proto__') return 'holds the key "__proto__"';
    if (!key.isWellFormed()) return 'holds a key with a lone surrogate, which is not valid Unicode';
    const value = node[key];
    if (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')) {
      return 'holds the keys "constructor.prototype"';
    }
    const fault = check(value, next);
    if (fault !== null) return fault;
  }
  return null;
}
