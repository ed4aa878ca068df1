import compile from 'jsonata';
import { guardJson } from '../../src/schemas/json-guard.ts';
import { EVALUATION_LIMITS } from './evaluation.ts';
import { distinctOf } from './jsonata-distinct.ts';
import { evaluateText } from './jsonata-eval.ts';
import type { Focus } from './jsonata-focus.ts';
import { CONCATENATE, ORDER_BY } from './jsonata-rewrite.ts';
import { orderBy, sort } from './jsonata-sort.ts';

/** A native function as JSONata keeps it. */
interface Native {
  _jsonata_function: true;
  implementation: (this: Focus, ...args: never[]) => unknown;
  signature?: object;
}

const PICTURE_MAX = 1000;

function pad(this: Focus, str: string | undefined, width: number, char: string | undefined): unknown {
  if (str === undefined) return undefined;
  const filler = char === undefined || char === '' ? [' '] : [...char];
  const missing = Math.abs(Math.trunc(width)) - lengthOf(str);
  if (missing <= 0) return str;
  if (missing > EVALUATION_LIMITS.textCharacters) throw textLimit();
  const padding = filler.join('').repeat(Math.floor(missing / filler.length)) + filler.slice(0, missing % filler.length).join('');
  return width > 0 ? str + padding : padding + str;
}

function spread(this: Focus, arg: unknown): unknown {
  if (isFunction(arg)) return arg;
  const found = this.createSequence();
  if (!Array.isArray(arg)) {
    if (typeof arg !== 'object' || arg === null) return arg;
    spreadInto(found, arg);
    return found;
  }
  const all: unknown[] = [];
  spreadInto(all, arg);
  if (all.length > EVALUATION_LIMITS.sequence) throw { code: 'D2015', value: all.length };
  return all.length === 0 ? found : all;
}

function spreadInto(all: unknown[], arg: unknown): void {
  if (Array.isArray(arg)) for (const member of arg) spreadInto(all, member);
  else if (typeof arg === 'object' && arg !== null && !isFunction(arg)) {
    for (const [key, value] of Object.entries(arg)) {
      const single: Record<string, unknown> = Object.create(null);
      single[key] = value;
      all.push(single);
    }
  } else if (arg !== undefined) all.push(arg);
}

/** As `Math.max` and `Math.min`, of any number of members. */
function extreme(pick: (a: number, b: number) => number) {
  return (args: readonly number[] | undefined): number | undefined =>
    args === undefined || args.length === 0 ? undefined : args.reduce((most, each) => pick(most, each));
}

/** JSON in a text, as models and logs have it. It evaluates nothing. */
function parseJson(this: Focus, text: string | undefined): unknown {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw { message: `the text is not JSON: ${(error as Error).message}` };
  }
  const fault = guardJson(value);
  if (fault !== null) throw { message: `the JSON in the text ${fault}` };
  return value;
}

function concatenate(this: Focus, left: unknown, right: unknown): string {
  const text = textOf(left) + textOf(right);
  if (text.length > EVALUATION_LIMITS.textCharacters) throw textLimit();
  return text;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : stringOf(value);
}

function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function isFunction(value: unknown): boolean {
  if (typeof value === 'function') return true;
  const flags = value as { _jsonata_function?: unknown; _jsonata_lambda?: unknown } | null | undefined;
  return flags?._jsonata_function === true || flags?._jsonata_lambda === true;
}

function textLimit(): object {
  return { message: `the result would be a text of more than ${EVALUATION_LIMITS.textCharacters} characters (text limit)` };
}

/** A signature as JSONata reads it: which arguments it takes, and from where. */
function signedAs(text: string): { signature?: object } {
  const { signature } = compile(`function($text)${text}{$text}`).ast() as { signature?: object };
  return signature === undefined ? {} : { signature };
}

/** The function, for numbers and booleans too: of their text, as `$string` makes it. */
function ofText({ implementation }: Native): Native {
  function textFirst(this: Focus, part: unknown): unknown {
    return implementation.call(this, (part === undefined ? part : textOf(part)) as never);
  }
  return { _jsonata_function: true, implementation: textFirst };
}

/** Where JSONata takes a time that grows with the square of a picture's length. */
function withShortPicture(name: string, { implementation, signature }: Native): Native {
  // Names of the parameters are read by partial application.
  function bounded(this: Focus, value: never, picture: never, options: never): unknown {
    if (typeof picture === 'string' && (picture as string).length > PICTURE_MAX) {
      throw { message: `the picture of $${name} is longer than ${PICTURE_MAX} characters` };
    }
    return implementation.call(this, value, picture, options);
  }
  return { _jsonata_function: true, implementation: bounded, ...(signature && { signature }) };
}

const NAMES = (
  'sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad match contains replace ' +
  'split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs sqrt power random boolean not map zip filter ' +
  'single reduce sift keys lookup append exists spread merge reverse each error assert type sort shuffle distinct base64encode ' +
  'base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl eval toMillis fromMillis clone'
).split(' ');

const original: Record<string, Native | undefined> = Object.create(null);
for (const name of NAMES) original[name] = (await compile(`$${name}`).evaluate(null)) as Native | undefined;

const stringOf = original.string?.implementation as unknown as (value: unknown) => string;

const natives = new Map<string, Native>();
for (const name of NAMES) {
  const native = original[name];
  if (native !== undefined) natives.set(name, native);
}
const replace = (name: string, implementation: (this: Focus, ...args: never[]) => unknown): void => {
  const signature = original[name]?.signature;
  natives.set(name, { _jsonata_function: true, implementation, ...(signature && { signature }) });
};
natives.set('parseJson', { _jsonata_function: true, implementation: parseJson, ...signedAs('<s-:x>') });
replace('sort', sort);
replace('distinct', distinctOf);
replace('spread', spread);
replace('pad', pad);
replace('eval', evaluateText);
replace('max', extreme(Math.max));
replace('min', extreme(Math.min));
replace(CONCATENATE, concatenate);
replace(ORDER_BY, orderBy);
// An id is often a number. JSONata takes nothing but a text for a part of a URL.
for (const name of ['encodeUrlComponent', 'encodeUrl']) {
  const native = natives.get(name);
  if (native !== undefined) natives.set(name, { ...ofText(native), ...signedAs('<(snb)-:s>') });
}
for (const name of ['formatNumber', 'formatInteger', 'parseInteger', 'fromMillis', 'toMillis']) {
  const native = natives.get(name);
  if (native !== undefined) natives.set(name, withShortPicture(name, native));
}
// An expression can get hold of them, and change what others would get.
for (const { implementation, signature } of natives.values()) {
  Object.freeze(implementation);
  if (signature !== undefined) Object.freeze(signature);
}

/** Fresh copies of the native functions among the names: JSONata writes into them, and expressions can. */
export function nativesNamed(names: Iterable<string>): Record<string, unknown> {
  const own: Record<string, unknown> = {};
  for (const name of names) {
    const native = natives.get(name);
    if (native !== undefined) own[name] = { ...native };
  }
  return own;
}

export const nativeNames: Iterable<string> = natives.keys();
