import type { CodeOptions } from 'ajv/dist/core.js';

type Engine = NonNullable<CodeOptions['regExp']>;

/** Syntax that means something else, or is an error, without the flag `u`. */
const NEEDS_UNICODE = /\\u\{|\\[pP]|[\u{10000}-\u{10ffff}]/u;
const SURROGATE = /[\ud800-\udfff]/;

/**
 * The patterns of a schema, which are Unicode ones. V8's linear-time engine, which an evaluator goes on with where backtracking takes long,
 * has no Unicode mode; for a text of the Basic Multilingual Plane the other mode finds the same.
 */
function engine(pattern: string, flags: string): ReturnType<Engine> {
  const unicode = new RegExp(pattern, flags);
  if (flags !== 'u' || NEEDS_UNICODE.test(pattern)) return unicode;
  const plain = new RegExp(pattern);
  return Object.assign(Object.create(unicode), {
    test: (text: string) => (SURROGATE.test(text) ? unicode : plain).test(text),
    toString: () => unicode.toString(),
  });
}

export const patternEngine: Engine = Object.assign(engine, { code: 'new RegExp' });
