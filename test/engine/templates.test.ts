import { describe, expect, it } from 'vitest';
import { createLocalHost, createTaskRegistry, type SluiceError, type TaskDeclaration } from '../../src/engine/index.ts';
import { type Logger, systemPorts } from '../../src/engine/ports.ts';
import { createSecrets } from '../../src/loader/secrets.ts';
import { builtInTasks, expressionLanguage } from '../../tasks/index.ts';

interface Told {
  itemId: string;
  told: unknown;
  info: Record<string, unknown>;
}

const anything = (given: unknown): unknown => given ?? {};
const declaration = (name: string, kind: TaskDeclaration['kind'], run: TaskDeclaration['run']): TaskDeclaration => ({
  name,
  kind,
  description: '',
  paramsSchema: null,
  parseParams: anything,
  run,
});

function world() {
  const told: Told[] = [];
  const records: Record<string, unknown>[] = [];
  const log = (level: string) => (fields: object, msg: string) => void records.push({ level, msg, ...fields });
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const host = createLocalHost({
    registry: createTaskRegistry([
      ...builtInTasks({ outputDir: 'unused', httpAllowHosts: [] }),
      declaration('params', 'task', (_value, { params }) => params),
      declaration('spread', 'task', (a, b, { params }) => [a, b, params]),
      declaration('fails', 'task', (_value, { params }) => {
        throw new Error(`no luck with ${JSON.stringify(params)}`);
      }),
      declaration('tell', 'hook', (itemId, value, info, use) => void told.push({ itemId, told: value, info: { ...info, ...use } })),
      declaration('equals', 'predicate', (value, { params }) => value === params.to),
    ]),
    ports: { ...systemPorts, logger, expressions: expressionLanguage, secrets: createSecrets({ KEY: 'hunter22', OTHER: 'swordfish' }) },
    maxStages: 64,
    maxWorkersPerStage: 100,
    retentionMaxItems: 1000,
    retentionMaxAgeSeconds: 3600,
    backlogCapacity: 1000,
    eventsKept: 1000,
    hookTimeoutSeconds: 5,
  });
  const run = async (stage: object, items: unknown[]) => {
    await host.create({ id: 'p', stages: [{ name: 'S', taskAttempts: 1, ...stage }] });
    const { results } = (await host.get('p').run(items, {})) as { results: { value: unknown; error: unknown }[] };
    return results;
  };
  const params = async (given: object, item: unknown = {}) => (await run({ tasks: [{ task: 'params', with: given }] }, [item]))[0];
  const faults = async (stage: object) =>
    host.create({ id: 'p', stages: [{ name: 'S', ...stage }] }).then(
      () => [],
      (error: SluiceError) => error.errors ?? [],
    );
  return { host, told, records, run, params, faults };
}

describe('a template in a parameter', () => {
  it.each([
    ['a {{ value.b }} c {{ value.n }}', { b: 'B', n: 2 }, 'a B c 2'],
    ['{{ value.n }}', { n: 2 }, 2],
    ['  {{ value.list }}\n', { list: [1, { a: 2 }] }, [1, { a: 2 }]],
    ['{{ value.none }}', { none: null }, null],
    ['{{ {"a": {"b": value.n}} }}', { n: 1 }, { a: { b: 1 } }],
    ['{{ {"a": {"b": value.n}}}}!', { n: 1 }, '{"a":{"b":1}}!'],
    ['{{ "{{" & value.n & "}}" }}', { n: 1 }, '{{1}}'],
    ['no } template {', {}, 'no } template {'],
    ['{{ metadata.from }}/{{ itemId }}/{{ sequenceId }}', { id: 'x', value: 1, from: 'crm' }, 'crm/x/1'],
    ['{{ secrets.KEY }}', {}, 'hunter22'],
    ['{{ value.a }}', { a: '{{ secrets.KEY }}' }, '{{ secrets.KEY }}'],
  ])('%j over %j is %j', async (template, item, expected) => {
    const { params } = world();
    expect((await params({ deep: [{ in: template }], same: 1 }, item))?.value).toEqual({ deep: [{ in: expected }], same: 1 });
  });

  it('is the item’s own, and comes before the arguments are spread', async () => {
    const { run } = world();
    const results = await run({ workers: 4, unpackArgs: true, tasks: [{ task: 'spread', with: { all: '{{ value }}' } }] }, [
      [1, 2],
      [3, 4],
    ]);
    expect(results.map(({ value }) => value)).toEqual([
      [1, 2, { all: [1, 2] }],
      [3, 4, { all: [3, 4] }],
    ]);
  });

  it.each([
    ['x {{ value.missing }}', 'the template {{ value.missing }} of /a evaluates to nothing for this item'],
    ['{{ value.missing }}', 'the template {{ value.missing }} of /a evaluates to nothing for this item'],
    ['x {{ value.none }}', 'a template inside the text of /a evaluates to null'],
    ['{{ value.b + 1 }}', 'the template {{ value.b + 1 }} of /a fails: The left side of the "+" operator must evaluate to a number'],
    ['{{ ($f := function() { $f() }; $f()) }}', 'fails: Evaluation timeout after 1000 milliseconds'],
  ])('%j that comes to nothing fails the item at once', async (template, message) => {
    const { run } = world();
    const [result] = await run({ taskAttempts: 5, tasks: [{ task: 'params', with: { a: template } }] }, [{ b: 'x', none: null }]);
    expect(result?.error).toMatchObject({ type: 'TemplateError', attempts: 1 });
    expect(result?.error).toMatchObject({ message: expect.stringContaining(message) });
  });

  it('of which many find a large value takes turns, and ends at 32 MB', async () => {
    const { params } = world();
    // Each copy of it counts about 1.2 MB.
    const wide = Array.from({ length: 50_000 }, () => []);
    let turns = 0;
    let isCounting = true;
    const count = (): void => {
      turns++;
      if (isCounting) setImmediate(count);
    };
    setImmediate(count);
    const fits = await params({ all: Array(20).fill('{{ value.wide }}') }, { wide });
    isCounting = false;
    expect(fits?.error).toBeNull();
    // Compared one by one, a million of them take seconds.
    const { all } = (fits as { value: { all: unknown[][] } }).value;
    expect(all.map(({ length }) => length)).toEqual(Array(20).fill(wide.length));
    expect(turns).toBeGreaterThanOrEqual(19);
    const { params: others } = world();
    const tooMuch = await others({ all: Array(60).fill('{{ value.wide }}'), text: Array(60).fill('{{ value.wide }}').join() }, { wide });
    expect(tooMuch?.error).toMatchObject({
      type: 'TemplateError',
      message: 'the templates evaluate to more than 32 MB in total for this item',
    });
  });

  it('may find a value of any size when it is the only one', async () => {
    const { params } = world();
    const long = Array(4_000_000).fill(1);
    const result = await params({ all: '{{ value.long }}' }, { long });
    const { all } = (result as { value: { all: number[] } }).value;
    expect(all).toHaveLength(long.length);
    expect(all.every((n) => n === 1)).toBe(true);
  });

  it.each([{ a: '{{ $error("first") }}', b: '{{ value.none }}' }, { a: '{{ $error("first") }} {{ value.none }}' }])(
    'that fails leaves no other one behind: %j',
    async (given) => {
      const left: unknown[] = [];
      const note = (reason: unknown): void => void left.push(reason);
      process.on('unhandledRejection', note);
      try {
        const { run } = world();
        const results = await run({ tasks: [{ task: 'params', with: given }] }, [{}, {}]);
        expect(results.map(({ error }) => error)).toEqual([
          expect.objectContaining({ type: 'TemplateError' }),
          expect.objectContaining({ type: 'TemplateError' }),
        ]);
        // What was asked before them has been answered by the time that this is.
        const { run: later } = world();
        await later({ tasks: [{ task: 'jsonata', with: { expression: '1 + 1' } }] }, [{}]);
        await new Promise((resolve) => setImmediate(resolve));
      } finally {
        process.off('unhandledRejection', note);
      }
      expect(left).toEqual([]);
    },
  );

  it('whose result does not fit the schema of the parameters fails the item at once', async () => {
    const { run } = world();
    const [bad, good] = await run({ tasks: [{ task: 'sleep', with: { seconds: '{{ value.s }}' } }] }, [{ s: -1 }, { s: 0 }]);
    expect(bad?.error).toMatchObject({ type: 'InvalidParams', attempts: 1 });
    expect(good).toMatchObject({ error: null, value: { s: 0 } });
  });

  it.each([
    [{ a: { b: ['{{ value.'] } }, '/stages/0/tasks/0/with/a/b/0', 'has "{{" without "}}"'],
    [{ a: '{{ value. }}' }, '/stages/0/tasks/0/with/a', 'holds a template that is not a valid expression'],
    [{ a: 'x {{ secrets.NONE }}' }, '/stages/0/tasks/0/with/a', 'uses secrets.NONE, but SECRET_NONE is not set'],
  ])('%j is refused with the definition', async (given, path, message) => {
    const { faults } = world();
    expect(await faults({ tasks: [{ task: 'params', with: given }] })).toEqual([{ path, message: expect.stringContaining(message) }]);
  });

  it('does not hide what is wrong beside it', async () => {
    const { faults } = world();
    const tasks = [{ task: 'http_request', with: { url: '{{ value.url }}', timeoutSeconds: -1, retrys: 1 } }];
    expect((await faults({ tasks })).map(({ path }) => path).sort()).toEqual([
      '/stages/0/tasks/0/with/retrys',
      '/stages/0/tasks/0/with/timeoutSeconds',
    ]);
  });

  it('is none where a parameter is a text of another language', async () => {
    const { run } = world();
    const [result] = await run({ tasks: [{ task: 'jsonata', with: { expression: '"{{ " & v & " }}"' } }] }, [{ v: 1 }]);
    expect(result?.value).toBe('{{ 1 }}');
  });
});

describe('a secret', () => {
  it('is masked in errors, statuses of workers and hooks’ parameters that fail', async () => {
    const { run, host } = world();
    const [result] = await run({ tasks: [{ task: 'fails', with: { key: '{{ secrets.KEY }}' } }] }, [1]);
    expect(result?.error).toMatchObject({ message: 'no luck with {"key":"[secret KEY]"}' });
    expect(JSON.stringify(await host.get('p').errors())).not.toContain('hunter22');
    expect(JSON.stringify(await host.get('p').describe())).not.toContain('hunter22');
  });

  it.each([
    ['{{ secrets.KEY }}', 'hunter22'],
    ['{{ $.secrets.KEY & $$.secrets.OTHER }}', 'hunter22swordfish'],
    ['{{ `secrets`.`KEY` & secrets . "OTHER" }}', 'hunter22swordfish'],
    ['{{ $uppercase(secrets.KEY) }}', 'HUNTER22'],
    ['{{ [1].($$.secrets.KEY) }}', 'hunter22'],
  ])('is found by %j, which names it', async (template, expected) => {
    const { params, host } = world();
    expect((await params({ a: template }))?.value).toEqual({ a: expected });
    expect((await host.get('p').describe()).secrets).toEqual(template.includes('OTHER') ? ['KEY', 'OTHER'] : ['KEY']);
  });

  it.each([
    '$string($)',
    '$string($$)',
    '$string(secrets)',
    '$lookup(secrets, "KEY") & ""',
    '$string(secrets.*)',
    '$string(**)',
    '$string($each(secrets, function($value) { $value }))',
    '$keys(secrets) & ""',
    '($all := secrets; $all.KEY) & ""',
    '(secrets).KEY & ""',
    'secrets.(KEY) & ""',
    'secrets["KEY" in $keys($)] & ""',
    '$string($spread($))',
    '$eval("secrets.KEY") & ""',
    '$string($ ~> |secrets|{"more": 1}|)',
  ])('is not found by %s, which names none', async (expression) => {
    const { run, host } = world();
    const onSkip = { task: 'tell', with: { a: '{{ secrets.OTHER }}' } };
    const [result] = await run({ tasks: [{ task: 'params', with: { a: `{{ ${expression} }}` } }], onSkip }, [{ n: 1 }]);
    expect(JSON.stringify(result)).not.toMatch(/hunter22|KEY/);
    expect(JSON.stringify(result)).not.toContain('swordfish');
    expect((await host.get('p').describe()).secrets).toEqual(['OTHER']);
  });

  it.each([
    '$ ~> |secrets|{"KEY": "rewritten"}|',
    '$ ~> |$$.secrets|{"KEY": "rewritten"}|',
    '($$.secrets ~> |$|{"KEY": "rewritten"}|).KEY & secrets.KEY',
  ])('cannot be rewritten by %s for who comes next', async (expression) => {
    const { run } = world();
    const tasks = [
      { task: 'params', with: { a: `{{ ${expression} }}`, mark: '{{ secrets.KEY }}' } },
      { task: 'params', with: { a: '{{ secrets.KEY }}' } },
    ];
    const results = await run({ tasks }, [{ n: 1 }, { n: 2 }]);
    expect(results.map(({ value }) => value)).toEqual([{ a: 'hunter22' }, { a: 'hunter22' }]);
  });

  it('is listed for hooks and predicates too, by name alone', async () => {
    const { host } = world();
    await host.create({
      id: 'p',
      stages: [
        {
          name: 'A',
          tasks: [{ task: 'params', with: { a: '{{ value }}' } }],
          onSuccess: { task: 'tell', with: { b: '{{ secrets.OTHER }}' } },
        },
        { name: 'B', tasks: [{ task: 'params' }], skipIf: { task: 'equals', with: { to: '{{ secrets.KEY }}' } } },
      ],
    });
    const description = await host.get('p').describe();
    expect(description.secrets).toEqual(['KEY', 'OTHER']);
    expect(JSON.stringify(description)).not.toMatch(/hunter22|swordfish/);
  });

  it('is masked in its spellings for JSON and URLs', () => {
    const { mask } = createSecrets({ A: 'a"b c', AB: 'xa"b cx' });
    expect(mask('1 a"b c 2 a\\"b c 3 a%22b%20c 4 xa"b cx')).toBe('1 [secret A] 2 [secret A] 3 [secret A] 4 [secret AB]');
  });
});

describe('an expression of a template', () => {
  it.each([
    '$ ~> |value.list|{"x": 9}|',
    '$ ~> |$$.value|{"list": []}|',
    '$ ~> |metadata|{"from": "elsewhere"}|',
    '($v := value; $ ~> |$v.list|{"x": 9}|)',
    '$ ~> |$$.metadata|{}, "from"|',
  ])('%s changes neither the value nor the metadata', async (expression) => {
    const { run } = world();
    const tasks = [
      { task: 'params', with: { seen: `{{ ${expression} }}`, value: '{{ value }}', from: '{{ metadata.from }}' } },
      { task: 'params', with: { value: '{{ value.value }}', from: '{{ metadata.from }}' } },
    ];
    const [result] = await run({ tasks }, [{ id: 'a', value: { list: [{ x: 1 }] }, from: 'crm' }]);
    expect(result?.value).toEqual({ value: { list: [{ x: 1 }] }, from: 'crm' });
  });

  it.each([
    ['a regular expression with braces', '{{ $replace(value.t, /[{}"]/, "-") }}!', { t: 'a{b' }, 'a-b!'],
    ['a quote in one', `{{ $contains(value.t, /'/) }} and {{ value.t }}`, { t: "it's" }, "true and it's"],
    ['a comment', '{{ value.t /* }} " */ }}!', { t: 'x' }, 'x!'],
    ['texts with braces', `{{ "}}" & '}}' & value.t }}!`, { t: 'x' }, '}}}}x!'],
    ['two of them', '{{ {"a": {}} }}{{ {"b": {}}}}', {}, '{"a":{}}{"b":{}}'],
  ])('ends behind %s', async (_, template, item, expected) => {
    const { params } = world();
    expect((await params({ a: template }, item))?.value).toEqual({ a: expected });
  });
});

describe('hooks and predicates with parameters', () => {
  it('get them, with their templates filled from the item', async () => {
    const { run, told } = world();
    const use = { task: 'tell', with: { n: '{{ value.n }}', id: '{{ itemId }}' } };
    await run({ tasks: [{ task: 'params', with: { n: 5 } }], onSuccess: use }, [{ id: 'a' }]);
    expect(told).toMatchObject([{ itemId: 'a', told: { n: 5 }, info: { stage: 'S', pipeline: 'p', params: { n: 5, id: 'a' } } }]);
  });

  it('of a failure see the value and the error', async () => {
    const { run, told } = world();
    const onFailure = { task: 'tell', with: { n: '{{ value.n }}', why: '{{ error.message }}' } };
    await run({ tasks: ['fails'], onFailure }, [{ n: 7 }]);
    expect(told).toMatchObject([{ info: { params: { n: 7, why: 'no luck with {}' } } }]);
  });

  it('that cannot be filled are logged, and the item goes on', async () => {
    const { run, told, records } = world();
    const [result] = await run({ tasks: ['params'], onSuccess: { task: 'tell', with: { n: '{{ value.none }}' } } }, [{}]);
    expect(result?.error).toBeNull();
    expect(told).toEqual([]);
    expect(records).toMatchObject([{ level: 'warn', error: { type: 'TemplateError' } }]);
  });

  it('decide by them whether to skip', async () => {
    const { run } = world();
    const stage = { tasks: [{ task: 'params', with: { ran: true } }], skipIf: { task: 'equals', with: { to: '{{ value }}' } } };
    expect((await run(stage, ['x']))[0]?.value).toBe('x');
  });

  it.each([
    ['v > 1', { v: 2 }, true],
    ['v > 1', { v: 1 }, false],
    ['v', { v: 1 }, false],
    ['missing', {}, false],
    ['v + 1 > 0', { v: 'x' }, false],
    ['$metadata.done', { id: 'a', done: true }, true],
  ])('jsonata_true %s over %j skips: %s', async (expression, item, skips) => {
    const { run } = world();
    await expect(run({ tasks: ['fails'], skipIf: { task: 'jsonata_true', with: { expression } } }, [item])).resolves.toMatchObject([
      { error: skips ? null : { type: 'Error' } },
    ]);
  });

  it('that are wrong are refused with the definition', async () => {
    const { faults } = world();
    const stage = {
      tasks: ['params'],
      skipIf: { task: 'jsonata_true', with: { expression: '(' } },
      onFailure: { task: 'nobody' },
      onSkip: { task: 'log_skip', with: { level: 'loud' } },
    };
    expect((await faults(stage)).map(({ path }) => path)).toEqual([
      '/stages/0/onFailure/task',
      '/stages/0/onSkip/with/level',
      '/stages/0/skipIf/with/expression',
    ]);
  });
});

describe('log hooks', () => {
  it('write one record each, the way they are told to', async () => {
    const { run, records } = world();
    const items = [
      { id: 'a', v: 1 },
      { id: 'b', v: 2, skip: true },
    ];
    const onSuccess = { task: 'log_success', with: { level: 'debug', message: 'done with {{ itemId }}', includeValue: true } };
    const skipIf = { task: 'jsonata_true', with: { expression: 'skip' } };
    await run({ tasks: ['params'], onSuccess, skipIf, onSkip: 'log_skip', onFailure: 'log_failure' }, items);
    expect(records).toMatchObject([
      { level: 'debug', msg: 'done with a', itemId: 'a', pipeline: 'p', stage: 'S', value: {} },
      { level: 'info', msg: 'item skipped a stage', itemId: 'b' },
    ]);
    expect(records[1]).not.toHaveProperty('value');
  });

  it('write the error of a failure', async () => {
    const { run, records } = world();
    await run({ tasks: ['fails'], onFailure: 'log_failure' }, [{ id: 'a' }]);
    expect(records).toMatchObject([
      { level: 'warn', msg: 'item failed', itemId: 'a', error: { type: 'Error', message: 'no luck with {}' } },
    ]);
  });
});
