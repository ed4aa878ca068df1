import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLocalHost, createTaskRegistry, type SluiceError } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { createSecrets } from '../../src/loader/secrets.ts';
import { builtInTasks, expressionLanguage } from '../../tasks/index.ts';
import { machinePace } from '../machine-pace.ts';
import { SEED } from '../seed.ts';

/** Of CPU, for a definition of a megabyte: about a tenth of what the least of those named below took before. */
const CPU_MS_MAX = 1000;
/** How fast the machine is, is asked only when it matters. */
const boundFor = (cpuMs: number): number => (cpuMs < CPU_MS_MAX ? CPU_MS_MAX : CPU_MS_MAX * machinePace());

function world() {
  const host = createLocalHost({
    registry: createTaskRegistry(builtInTasks({ outputDir: 'unused', httpAllowHosts: [] })),
    ports: { ...systemPorts, expressions: expressionLanguage, secrets: createSecrets({ KEY: 'hunter22' }) },
    maxStages: 64,
    maxWorkersPerStage: 100,
    retentionMaxItems: 1000,
    retentionMaxAgeSeconds: 3600,
    backlogCapacity: 1000,
    eventsKept: 1000,
    hookTimeoutSeconds: 5,
  });
  let created = 0;
  /** Of this thread alone. */
  const cpuOf = async (work: () => Promise<unknown>): Promise<{ cpuMs: number; thrown: unknown }> => {
    const before = process.threadCpuUsage();
    const thrown = await work().then(
      () => undefined,
      (error: unknown) => error,
    );
    const { user, system } = process.threadCpuUsage(before);
    return { cpuMs: (user + system) / 1000, thrown };
  };
  const create = async (tasks: object[]) => {
    const stages = Array.from({ length: Math.ceil(tasks.length / 64) }, (_, i) => ({
      name: `S${i}`,
      tasks: tasks.slice(i * 64, i * 64 + 64),
    }));
    const { cpuMs, thrown } = await cpuOf(() => host.create({ id: `p${created++}`, stages }));
    if (thrown === undefined) return { outcome: 'created' as const, cpuMs };
    const { code, errors = [] } = thrown as SluiceError;
    return { outcome: { code, paths: errors.map(({ path }) => path) }, cpuMs };
  };
  return { host, create, cpuOf };
}

const schema = (given: object) => ({ task: 'json_schema', with: { schema: given } });
const expression = (text: string) => ({ task: 'jsonata', with: { expression: text } });
const body = (given: unknown) => ({ task: 'http_request', with: { url: 'https://example.org', method: 'POST', body: given } });
const members = (count: number, make: (i: number) => unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, make(i)]));
const list = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const nested = (depth: number, wrap: (inner: object, i: number) => object) =>
  list(depth, (i) => i).reduce<object>((inner, i) => wrap(inner, i), {});

describe('a definition that would take long to look at is refused at once', () => {
  it.each<[string, object[]]>([
    ['20 000 patterns of names', [schema({ patternProperties: members(20_000, () => ({})) })]],
    ['40 000 properties', [schema({ properties: members(40_000, () => ({ type: 'string' })) })]],
    ['alternatives that are compared with each other', [schema({ oneOf: list(5000, (i) => ({ properties: { a: { const: i } } })) })]],
    ['a property that needs 10 000 others', [schema({ dependentRequired: { a: list(10_000, (i) => `k${i}`) } })]],
    ['schemas where data stands', [schema({ $ref: '#/default/0', default: list(20_000, () => ({ type: 'string' })) })]],
    ['4000 schemas', list(4000, (i) => schema({ minimum: i }))],
    ['6500 templates without an end', [body(list(6500, (i) => `{{ {"a": value.a${i} }}`))]],
    ['a text of templates in templates', [body('{{ {{ }} '.repeat(100_000))]],
    ['6500 templates', [body(list(6500, (i) => `{{ value.a${i} & "x" }}`))]],
    ['a template of a megabyte', [body(`{{ ${'a & '.repeat(240_000)} a }}`)]],
    ['4000 expressions', list(4000, (i) => expression(`a + ${i}`))],
    ['16 expressions of 60 kB', list(16, (i) => expression(`[${'1,'.repeat(30_000)}${i}]`))],
    ['an expression of a megabyte', [expression('a+'.repeat(450_000))]],
    ['parents of parents', list(12, (i) => expression(`${'a.b.'.repeat(1200)}${'%.'.repeat(190)}a${i}`))],
  ])('%s', async (_, tasks) => {
    const { outcome, cpuMs } = await world().create(tasks);
    expect(outcome).toMatchObject({ code: expect.stringMatching(/^invalid-(?:pipeline|params|input)$/) });
    expect(cpuMs).toBeLessThan(boundFor(cpuMs));
  });

  it.each<[string, object[]]>([
    ['an expression that is nested 10 000 deep', [expression(`${'('.repeat(10_000)}a${')'.repeat(10_000)}`)]],
    ['a template that is', [body(`{{ ${'['.repeat(5000)}a${']'.repeat(5000)} }}`)]],
    ['a pattern of pattern of patterns', [schema({ pattern: 'a{1000}{1000}{1000}' })]],
    ['a pattern that is nested', [schema({ pattern: '('.repeat(50_000) + ')'.repeat(50_000) })]],
    [
      'references to references',
      [schema({ $ref: '#/$defs/p0', $defs: members(300, (i) => ({ allOf: [{ $ref: `#/$defs/p${(i + 1) % 300}` }, true] })) })],
    ],
    ['texts that are no templates', [body(list(600, () => '{{ a & }}'))]],
  ])('%s, with its place', async (_, tasks) => {
    const { outcome, cpuMs } = await world().create(tasks);
    expect(outcome).toMatchObject({
      code: 'invalid-params',
      paths: expect.arrayContaining([expect.stringMatching(/^\/stages\/0\/tasks\/0\/with/)]),
    });
    expect(cpuMs).toBeLessThan(boundFor(cpuMs));
  });

  it.each<[string, object]>([
    ['300 000 stages that are none', { stages: list(300_000, () => ({})) }],
    ['60 000 limits that are none', { stages: [{ name: 'S', tasks: ['hash'], taskConcurrencyLimits: members(60_000, () => 0) }] }],
    ['70 000 unknown parameters', { stages: [{ name: 'S', tasks: [{ task: 'hash', with: members(70_000, () => 1) }] }] }],
    [
      'the same fault 4096 times',
      { stages: list(64, (i) => ({ name: `S${i}`, tasks: list(64, () => expression(`[${'1,'.repeat(90)}(`)) })) },
    ],
  ])('with %s, of which the first thousand are listed', async (_, definition) => {
    const { host, cpuOf } = world();
    const { cpuMs, thrown } = await cpuOf(() => host.create({ id: 'p', ...definition }));
    expect((thrown as SluiceError).errors?.length).toBeLessThanOrEqual(1001);
    expect((thrown as SluiceError).message.length).toBeLessThan(500_000);
    expect(cpuMs).toBeLessThan(boundFor(cpuMs));
  });

  it('names what counts, and is refused however its parts are spread over stages', async () => {
    const { outcome } = await world().create(list(640, (i) => schema({ minimum: i })));
    expect(outcome).toEqual({ code: 'invalid-pipeline', paths: ['/stages'] });
  });
});

describe('a definition of a usual size is none of them', () => {
  it.each<[string, object[]]>([
    ['a schema of 500 properties', [schema({ properties: members(500, () => ({ type: 'string' })) })]],
    [
      'a schema of 50 objects of 10',
      [schema({ properties: members(50, () => ({ properties: members(10, () => ({ type: 'string' })) })) })],
    ],
    ['an enumeration of 20 000', [schema({ enum: list(20_000, (i) => `k${i}`) })]],
    ['100 templates', [body(members(100, (i) => `{{ value.a${i} & metadata.b }}`))]],
    ['a letter of 100 kB', [body(`Dear {{ value.name }}, ${'lorem ipsum '.repeat(8000)}`)]],
    ['60 expressions', list(60, (i) => expression(`items[n > ${i}].{ "name": name, "total": $sum(lines.(price * quantity)) }`))],
    ['the same schema 640 times', list(640, () => schema({ type: 'object' }))],
  ])('%s', async (_, tasks) => {
    expect((await world().create(tasks)).outcome).toBe('created');
  });
});

describe('any definition', () => {
  it('is looked at in a bounded time', async () => {
    const { create } = world();
    const keyword = fc.constantFrom(
      'allOf',
      'anyOf',
      'oneOf',
      'properties',
      'patternProperties',
      '$defs',
      'dependentSchemas',
      'prefixItems',
    );
    const wide = fc.tuple(keyword, fc.integer({ min: 1, max: 3000 })).map(([name, count]) => {
      const each = (i: number) => ({ properties: { a: { const: i } }, minProperties: i });
      return schema({ [name]: /Of$|Items$/.test(name) ? list(count, each) : members(count, each), unevaluatedProperties: false });
    });
    const deep = fc
      .tuple(fc.constantFrom('not', 'items', 'contains', 'if', 'propertyNames', 'additionalProperties'), fc.integer({ min: 1, max: 60 }))
      .map(([name, depth]) =>
        schema(nested(depth, (inner, i) => ({ [name]: inner, properties: { [`a${i}`]: true }, unevaluatedProperties: false }))),
      );
    const token = fc.constantFrom(
      '{{',
      '}}',
      '{',
      '}',
      ' value.a ',
      '"',
      "'",
      '`',
      '/',
      '/*',
      '*/',
      '(',
      ')',
      '[',
      ']',
      '&',
      '+1',
      '$f(',
      '%.',
      '|',
      '~>',
      '\\',
      '^(',
    );
    const pieces = fc.array(token, { minLength: 1, maxLength: 12 });
    const long = fc.tuple(pieces, fc.integer({ min: 1, max: 3000 })).map(([parts, times]) => parts.join('').repeat(times));
    const task = fc.oneof(wide, deep, long.map(expression), long.map(body), fc.array(long, { maxLength: 20 }).map(body));
    await fc.assert(
      fc.asyncProperty(fc.array(task, { minLength: 1, maxLength: 4 }), async (tasks) => {
        const { cpuMs } = await create(tasks);
        expect(cpuMs).toBeLessThan(boundFor(cpuMs));
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});
