/** Values against `json_schema`: formats, patterns and keywords whose usual implementations take too long. */
import type { Random } from '../../engine/simulation/random.ts';
import { type Attack, LISTS, many, OBJECTS, repeated } from './attack.ts';

const FORMATS = [
  ...['date', 'time', 'date-time', 'iso-time', 'iso-date-time', 'duration', 'uri', 'uri-reference', 'uri-template', 'url', 'email'],
  ...['hostname', 'ipv4', 'ipv6', 'regex', 'uuid', 'json-pointer', 'json-pointer-uri-fragment', 'relative-json-pointer', 'byte'],
];

const PREFIXES = ['', 'http://', 'http://a', 'a@', 'P', '2020-01-01T00:00:00.', '{', '(', '[', '/', '#/', 'urn:', '1'];
const FRAGMENTS = [
  ...[
    'a',
    '0',
    '1.',
    'a.',
    'a-',
    '-',
    '.',
    ':',
    '::',
    '0:',
    '/',
    '//',
    '~0',
    '~',
    '{a}',
    '{a,',
    '%41',
    '%',
    '@',
    'a@',
    '1Y',
    '2020-01-01T',
  ],
  ...[' ', '\t', '\n', 'é', '\u{1f600}', '(', '(?:', '[a', '(a+)+', '=', 'A+/='],
];
const SUFFIXES = ['', '!', '@', ' ', '\n', '\0', '.', '/', '}', '\u{1f600}', ':', '$'];

const formatText = (random: Random): string => random.pick(PREFIXES) + repeated(random, random.pick(FRAGMENTS)) + random.pick(SUFFIXES);

/** Each takes exponential, cubic or quadratic time on some text in an engine that goes back. */
export const PATTERNS = [
  ...['^(a+)+$', '(a|a)*$', '(a|aa)+$', '(.*)*x$', '^(\\w+\\s?)*$', '([a-zA-Z]+)*$', '(?:a?){30}a{30}$', 'a*a*a*a*a*b', '(x+x+)+y'],
  ...['^(?=(a+))\\1*b', '(?<=a.*)b', '^.*(.*)*$', '(a{0,100}){0,100}b', '.*.*.*.*.*x', '^(([a-z])+.)+[A-Z]([a-z])+$', 'a*b', '\\s+$'],
  ...['^(?:(?:a|b)+)+c$', '(a?)*?b', '^((a|b)*)*\\2c', '[\\s\\S]*?x[\\s\\S]*?y', '\\p{L}+\\d'],
];
export const patternText = (random: Random): string =>
  repeated(random, random.pick(['a', 'ab', 'x', 'a ', ' ', 'aA', '\u00e4'])) + random.pick(['', '!', '\n', 'b']);

const strings = (schema: object): object => ({
  anyOf: [
    { type: 'string', ...schema },
    { type: 'array', items: schema },
  ],
});

/** A schema that goes through its part twice at each of its levels. */
function doubling(keyword: 'allOf' | 'anyOf' | 'oneOf', levels: number): object {
  const $defs: Record<string, object> = { [`d${levels}`]: { type: 'number' } };
  for (let i = 0; i < levels; i++) $defs[`d${i}`] = { [keyword]: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] };
  return { $ref: '#/$defs/d0', $defs };
}

const list = (random: Random): unknown => random.pick(LISTS)(random);
const object = (random: Random): unknown => random.pick(OBJECTS)(random);
const any = (random: Random): unknown => (random.chance(0.5) ? list(random) : object(random));

const KEYWORDS: Record<string, [schema: object, value: (random: Random) => unknown]> = {
  uniqueItems: [{ uniqueItems: true }, list],
  'uniqueItems inside': [{ items: { properties: { a: { uniqueItems: true } } }, uniqueItems: true }, list],
  contains: [{ contains: { type: 'string' }, minContains: 5, maxContains: 100 }, list],
  'items that fail': [{ items: { type: 'string', minLength: 100 } }, list],
  enum: [{ items: { enum: Array.from({ length: 500 }, (_, i) => ({ a: i })) } }, list],
  const: [{ items: { const: { a: { b: { c: ['x'] } } } } }, list],
  oneOf: [{ items: { oneOf: Array.from({ length: 50 }, (_, i) => ({ minimum: i })) } }, list],
  multipleOf: [{ items: { multipleOf: 0.01 } }, list],
  additionalProperties: [{ type: 'object', additionalProperties: false }, object],
  patternProperties: [
    { patternProperties: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`^k.*${i}$`, { minimum: i }])) },
    object,
  ],
  propertyNames: [{ propertyNames: { pattern: '^key-[0-9]+$', maxLength: 20 } }, object],
  unevaluatedProperties: [
    { allOf: [{ properties: { a: true } }, { patternProperties: { '^b': true } }], unevaluatedProperties: false },
    object,
  ],
  unevaluatedItems: [{ anyOf: [{ prefixItems: [true] }, { contains: { type: 'number' } }], unevaluatedItems: { type: 'string' } }, list],
  dependentSchemas: [{ dependentSchemas: { a: { $ref: '#' } }, additionalProperties: { $ref: '#' } }, object],
  'itself, deep': [
    { anyOf: [{ type: 'number' }, { type: ['array', 'object'], items: { $ref: '#' }, additionalProperties: { $ref: '#' } }] },
    any,
  ],
  'allOf doubled': [doubling('allOf', 24), () => 1],
  'anyOf doubled': [doubling('anyOf', 24), () => 'not a number'],
  'oneOf doubled': [doubling('oneOf', 20), () => 1],
  'names of objects': [{ properties: { toString: { type: 'number' }, hasOwnProperty: true }, required: ['valueOf'] }, object],
};

const stages = (schema: object): object[] => [{ name: 'Check', workers: 2, tasks: [{ task: 'json_schema', with: { schema } }] }];

export const attacksOnSchemas: readonly Attack[] = [
  ...FORMATS.map((format): Attack => ({ name: `format ${format}`, stages: stages(strings({ format })), value: formatText })),
  ...PATTERNS.map((pattern): Attack => ({ name: `pattern ${pattern}`, stages: stages(strings({ pattern })), value: patternText })),
  ...Object.entries(KEYWORDS).map(([name, [schema, value]]): Attack => ({ name, stages: stages(schema), value })),
  {
    name: 'pattern of names',
    stages: stages({ patternProperties: { '^(a+)+$': true }, additionalProperties: false }),
    value: (random) => Object.fromEntries(many(random, (i) => [`${'a'.repeat(28 + (i % 30))}!${i}`, i], 5000) as [string, number][]),
  },
];
