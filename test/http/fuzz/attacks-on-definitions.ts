/** Definitions that take long to check, or that are allowed more than is good: whether they are refused or taken, it is done soon. */
import type { Random } from '../../engine/simulation/random.ts';

const counted = (length: number, make: (index: number) => unknown): unknown[] => Array.from({ length }, (_, i) => make(i));
const members = (length: number, make: (index: number) => unknown): object =>
  Object.fromEntries(Array.from({ length }, (_, i) => [`m${i}`, make(i)]));

function nested(depth: number, wrap: (inner: unknown) => unknown, innermost: unknown = true): unknown {
  let made = innermost;
  for (let i = 0; i < depth; i++) made = wrap(made);
  return made;
}

const schema = (given: unknown): object[] => [{ name: 'Check', tasks: [{ task: 'json_schema', with: { schema: given } }] }];
const expression = (given: string): object[] => [{ name: 'Make', tasks: [{ task: 'jsonata', with: { expression: given } }] }];
const body = (given: unknown): object[] => [
  { name: 'Send', tasks: [{ task: 'http_request', with: { url: 'http://127.0.0.1:9/', body: given } }] },
];
const message = (given: string): object[] => [
  { name: 'Tell', tasks: ['hash'], onSuccess: { task: 'log_success', with: { message: given } } },
];

type Stages = (size: number) => unknown[];

const SCHEMAS: Record<string, Stages> = {
  patternProperties: (n) => schema({ patternProperties: Object.fromEntries(counted(n, (i) => [`^x${i}$`, true]) as [string, boolean][]) }),
  'patterns that blow up': (n) =>
    schema({ patternProperties: Object.fromEntries(counted(n / 10, (i) => [`^(a+)+${i}$`, true]) as [string, boolean][]) }),
  properties: (n) => schema({ properties: members(n, () => ({ type: 'string', format: 'email' })) }),
  definitions: (n) => schema({ $defs: members(n, (i) => ({ $ref: `#/$defs/m${i + 1}` })), $ref: '#/$defs/m0' }),
  'rings of references': (n) =>
    schema({ $defs: members(n / 10, (i) => ({ allOf: [{ $ref: `#/$defs/m${(i * 7) % (n / 10)}` }, { $ref: '#' }] })), $ref: '#/$defs/m0' }),
  ids: (n) => schema({ allOf: counted(n / 10, (i) => ({ $id: `http://x/${i % 50}`, $anchor: `a${i}` })) }),
  enum: (n) => schema({ enum: counted(n * 2, (i) => ({ i })) }),
  'enum of the same': (n) => schema({ enum: counted(n, () => [1]) }),
  required: (n) => schema({ required: counted(n, (i) => `m${i}`) }),
  allOf: (n) => schema({ allOf: counted(n / 2, (i) => ({ minimum: i })) }),
  oneOf: (n) => schema({ oneOf: counted(n / 2, (i) => ({ properties: { a: { const: i } } })) }),
  deep: (n) => schema(nested(Math.min(n, 1000), (inner) => ({ not: inner }))),
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  'deep enough': () => schema(nested(7, (inner) => ({ if: inner, then: inner, else: inner }))),
  'a pattern of many parts': (n) => schema({ pattern: '(?:a|b)'.repeat(n) }),
  'a pattern of many braces': (n) => schema({ pattern: '('.repeat(n) }),
  'a pattern of repetitions': () => schema({ pattern: '((((a{1,100}){1,100}){1,100}){1,100}){1,100}' }),
  'a pattern of classes': (n) => schema({ pattern: `[${'\\u{10000}-\\u{10ffff}'.repeat(n / 10)}]` }),
  'dynamic references': () => schema({ $dynamicAnchor: 'x', properties: { a: { $dynamicRef: '#x' } }, $schema: 'http://example.com/none' }),
  'names of objects': () => schema({ properties: { constructor: { type: 'string' }, toString: { $ref: '#/properties/constructor' } } }),
  'code in names': () =>
    schema({ properties: { '"]); process.exit(1); //': { const: '` + process.exit(1) + `' } }, $comment: '*/ process.exit(1)' }),
};

const EXPRESSIONS: Record<string, Stages> = {
  parentheses: (n) => expression(nested(Math.min(n, 30_000), (inner) => `(${inner})`, '1') as string),
  brackets: (n) => expression('['.repeat(Math.min(n, 60_000))),
  steps: (n) => expression(counted(Math.min(n, 30_000), () => 'a').join('.')),
  minuses: (n) => expression(`${'-'.repeat(Math.min(n, 60_000))}1`),
  conditions: (n) => expression(`${'a ? b : '.repeat(Math.min(n, 8000))}c`),
  functions: (n) => expression(`${'function($a){'.repeat(Math.min(n, 4000))}1${'}'.repeat(Math.min(n, 4000))}`),
  sums: (n) => expression(counted(Math.min(n, 30_000), () => '1').join('+')),
  comments: (n) => expression('/* '.repeat(Math.min(n, 20_000))),
  quotes: (n) => expression(`"${'\\"'.repeat(Math.min(n, 30_000))}`),
  'a pattern': () => expression('$match(a, /^(a+)+$/)'),
};

const TEMPLATES: Record<string, Stages> = {
  unclosed: (n) => body(counted(n, (i) => `{{ ${i}`)),
  'unclosed, one text': (n) => body('{{ a '.repeat(n)),
  'closed again and again': (n) => body(`{{ a ${'}} '.repeat(n)}`),
  'closed again and again, one text': (n) => body(`{{ {"a": ${'}} {{ {'.repeat(n)}`),
  'many in one text': (n) => message('{{ value.a }}'.repeat(Math.min(n, 700))),
  many: (n) => body(counted(n, (i) => `{{ value.a${i} + 1 }}`)),
  'many paths': (n) => body(members(n, (i) => `{{ value.a${i} }}`)),
  deep: (n) => body(nested(Math.min(n, 1000), (inner) => [inner], '{{ value }}')),
  'for secrets': () =>
    body(['{{ $ }}', '{{ $$ }}', '{{ $ ~> |secrets|{"a": 1}| }}', '{{ secrets }}', '{{ secrets.NONE }}', '{{ $lookup($, "secrets") }}']),
  'with names of objects': () => body({ constructor: '{{ value }}', toString: '{{ metadata }}', '{{ value }}': 1 }),
};

const SHAPES: Record<string, Stages> = {
  'many stages': (n) => counted(Math.min(n, 2000), (i) => ({ name: `S${i}`, tasks: ['hash'] })),
  'many tasks': (n) => [{ name: 'S', tasks: counted(n, () => 'hash') }],
  'many schemas': () =>
    counted(64, (i) => ({ name: `S${i}`, tasks: counted(64, () => ({ task: 'json_schema', with: { schema: { format: 'url' } } })) })),
  'many workers': () => counted(64, (i) => ({ name: `S${i}`, workers: 10_000, tasks: ['hash'] })),
  'many limits': (n) => [
    {
      name: 'S',
      tasks: ['hash'],
      taskConcurrencyLimits: members(n, () => 1),
      taskRateLimits: members(n, () => ({ limit: 1, perSeconds: 1 })),
    },
  ],
  'many unknown fields': (n) => [{ name: 'S', tasks: ['hash'], ...members(n, () => 1) }],
  'many unknown parameters': (n) => [{ name: 'S', tasks: [{ task: 'hash', with: members(n, () => 1) }] }],
  'a long name': (n) => [{ name: 'x'.repeat(n), tasks: ['y'.repeat(n)] }],
  'times that are hardly any': () => [
    { name: 'S', tasks: [{ task: 'sleep', with: { seconds: 1e-9 } }], taskTimeoutSeconds: 1e-9, taskWaitSeconds: 0, taskAttempts: 1000 },
  ],
};

const ALL = Object.entries({ schema: SCHEMAS, expression: EXPRESSIONS, template: TEMPLATES, shape: SHAPES }).flatMap(([kind, list]) =>
  Object.entries(list).map(([name, stages]) => ({ name: `definition, ${kind}: ${name}`, stages })),
);

/** One of them, of a size that a body can just hold or of one that looks harmless. */
export function definitionToRefuse(random: Random): { name: string; stages: unknown[] } {
  const { name, stages } = random.pick(ALL);
  return { name, stages: stages(random.pick([30, 300, 6500, 20_000])) };
}
