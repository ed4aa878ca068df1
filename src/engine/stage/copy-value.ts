/**
 * The depth and the number of objects beyond which a value is copied as a graph: it may refer to itself, or share so much that a
 * tree would not end.
 */
const DEEPEST = 64;
const MOST = 10_000;

let left = 0;
/** Somebody has given all objects members that a loop over an object's own meets. */
let hasStrangers = false;

/**
 * A deep copy of plain data (objects, arrays, what JSON can hold), so that a failing attempt cannot change what the next
 * one starts from. Anything else (an instance of a class, a buffer, a function) is shared, not copied: a copy would lose what
 * makes it work. The value may have any depth and size, and cycles. Throws what a getter of the value throws.
 */
export function copyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  left = MOST;
  hasStrangers = false;
  for (const _ in Object.prototype) hasStrangers = true;
  const copy = copyTree(value, 0);
  return left > 0 ? copy : copyGraph(value);
}

/** The same of what a value rule has made of a value: a tree of plain data. */
export function copyPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const copy = value.slice();
    for (let i = 0; i < copy.length; i++) {
      const member: unknown = copy[i];
      if (typeof member === 'object' && member !== null) copy[i] = copyPlain(member);
    }
    return copy;
  }
  const copy: Record<string, unknown> = { ...value };
  for (const key in copy) {
    const member = copy[key];
    if (typeof member === 'object' && member !== null) copy[key] = copyPlain(member);
  }
  return copy;
}

/** The same of an object, which stays what it is. */
export function copyOf<T extends object>(value: T): T {
  return copyValue(value) as T;
}

/** Copies a small tree, the fast way. `left` is 0 afterwards when it gave up. */
function copyTree(value: object, depth: number): object {
  if (--left <= 0 || depth > DEEPEST) {
    left = 0;
    return value;
  }
  if (Array.isArray(value)) {
    // A slice of an array of some class would be one of that class.
    const copy: unknown[] = Object.getPrototypeOf(value) === Array.prototype ? value.slice() : Array.from(value);
    for (let i = 0; i < copy.length; i++) {
      const member = copy[i];
      if (typeof member === 'object' && member !== null && left > 0) copy[i] = copyTree(member, depth + 1);
    }
    return copy;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  // At once and with the same shape, for far less than member by member.
  const copy: Record<string, unknown> = prototype === null ? Object.assign(emptyLike(value), value) : { ...value };
  for (const key in copy) {
    const member = copy[key];
    if (typeof member !== 'object' || member === null || left <= 0) continue;
    // Where somebody has given members to all objects, these are met, too.
    if (!hasStrangers || Object.hasOwn(copy, key)) copy[key] = copyTree(member, depth + 1);
  }
  return copy;
}

/** Copies any value, the sure way: each object once, however often it is referred to, and without recursion. */
function copyGraph(root: object): object {
  const copies = new Map<object, object>();
  const todo: [from: object, to: object][] = [];
  const copyOf = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const known = copies.get(value);
    if (known !== undefined) return known;
    if (!Array.isArray(value) && !isPlain(value)) return value;
    const copy = Array.isArray(value) ? new Array<unknown>(value.length) : emptyLike(value);
    copies.set(value, copy);
    todo.push([value, copy]);
    return copy;
  };
  const copy = copyOf(root);
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [from, to] = next as [Record<string, unknown>, Record<string, unknown>];
    if (Array.isArray(from) && Array.isArray(to)) for (let i = 0; i < from.length; i++) to[i] = copyOf(from[i]);
    else for (const key of Object.keys(from)) put(to, key, copyOf(from[key]));
  }
  return copy as object;
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}

function emptyLike(value: object): Record<string, unknown> {
  return Object.getPrototypeOf(value) === null ? Object.create(null) : {};
}

function put(object: Record<string, unknown>, key: string, member: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value: member, enumerable: true, writable: true, configurable: true });
  else object[key] = member;
}
