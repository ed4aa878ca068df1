/**
 * A copy of a JSONata result as plain data. The library's sequences are arrays with members beside their items (`sequence`,
 * `keepSingleton`, its own `push`), which the structured clone of a thread refuses and a store would keep; its functions are objects
 * that hold on to everything they were made with. As in JSON, a function is left out of an object and `null` in an array, and so is a
 * number that is not finite `null`.
 *
 * An instance of a class, which a library's user may feed, is handed on as it is.
 */
export function plainData(value: unknown): unknown {
  if (typeof value === 'function' || isExpressionFunction(value)) return undefined;
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, (member) => plainData(member) ?? null);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    const plain = plainData(member);
    if (plain === undefined) continue;
    // An assignment would set the object's prototype instead of a member of that name.
    if (key === '__proto__') Object.defineProperty(copy, key, { value: plain, enumerable: true, writable: true, configurable: true });
    else copy[key] = plain;
  }
  return copy;
}

function isExpressionFunction(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('_jsonata_lambda' in value || '_jsonata_function' in value);
}
