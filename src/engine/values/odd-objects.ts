/*
 * Objects of which JSON would write something else than what is in them: `{}` for a Response, nothing of an Error's message, half of an instance
 * with private fields. They are told apart by what they are, since nothing of it can be seen in the JSON.
 */

/** Hints at what the author of a task most likely meant to return. */
const HINTS: Record<string, string> = {
  Response: 'did you forget await response.json()?',
  Request: 'did you forget await request.json()?',
  Promise: 'did you forget await?',
  Blob: 'did you forget await blob.text()?',
  File: 'did you forget await file.text()?',
  ReadableStream: 'read it to its end first',
  Readable: 'read it to its end first',
  Headers: 'Object.fromEntries(headers) is plain data',
  FormData: 'Object.fromEntries(form) is plain data',
  URLSearchParams: 'Object.fromEntries(params) is plain data',
  Map: 'Object.fromEntries(map) is plain data',
  Set: '[...set] is plain data',
  Generator: '[...generator] is plain data',
  AsyncGenerator: 'did you forget for await?',
  Date: 'its time is not a number',
};
const MESSAGE_MAX = 200;

/** Names the object, to stand after "is", when JSON would not have it as it is; null when it has. For objects without a `toJSON`. */
export function oddnessOf(value: object): string | null {
  const prototype: object | null = Object.getPrototypeOf(value);
  // An object literal, of another realm too, or one without a prototype.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return null;
  if (value instanceof Error)
    return `${named(nameOf(value))} (${JSON.stringify(String(value.message).slice(0, MESSAGE_MAX))}), of which JSON has no message`;
  if (isContainer(value)) return hinted(nameOf(value));
  if (Object.keys(value).length === 0) return hinted(nameOf(value));
  const field = privateFieldOf(prototype);
  return field === null
    ? null
    : `${named(nameOf(value))}, whose private field ${field} JSON does not have: give it a toJSON, or return plain data`;
}

/** Names a date that is none; null for one that is. */
export function oddnessOfDate(value: object): string | null {
  return value instanceof Date && Number.isNaN(value.getTime()) ? hinted('Date') : null;
}

/** Objects that hold what is no member of theirs. */
function isContainer(value: object): boolean {
  return (
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof WeakRef ||
    value instanceof Promise ||
    value instanceof RegExp ||
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value)
  );
}

function hinted(name: string): string {
  const is = name === 'Date' ? 'an invalid Date' : named(name);
  const hint = Object.hasOwn(HINTS, name) ? HINTS[name] : 'JSON has nothing of what is in it';
  return `${is}: ${hint}`;
}

function named(name: string): string {
  return `${/^[AEIO]/i.test(name) ? 'an' : 'a'} ${name}`;
}

/** The name of its class, or what it calls itself. */
function nameOf(value: object): string {
  const made = (value as { constructor?: unknown }).constructor;
  if (typeof made === 'function' && made.name !== '' && made !== Object) return made.name;
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** For each class what {@link privateFieldOf} found in its text. */
const known = new WeakMap<object, string | null>();
/** A field, not a method, not one of the class itself, and not a use of one: `#amount = 5;`. */
const PRIVATE_FIELD = /(?<![\w$.#])(?<!\bstatic\s+)(?<!\bin\s+)(#[\w$]+)\s*(?:=(?!=)|;|\n|\})/;

/** A private field that instances with this prototype have, as the text of their classes says; null when there is none. */
function privateFieldOf(prototype: object): string | null {
  const found = known.get(prototype);
  if (found !== undefined) return found;
  const made = (prototype as { constructor?: unknown }).constructor;
  let field: string | null = null;
  if (typeof made === 'function') field = PRIVATE_FIELD.exec(Function.prototype.toString.call(made))?.[1] ?? null;
  const above: object | null = Object.getPrototypeOf(prototype);
  if (field === null && above !== null && above !== Object.prototype) field = privateFieldOf(above);
  known.set(prototype, field);
  return field;
}
