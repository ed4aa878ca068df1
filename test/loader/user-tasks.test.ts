import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config.ts';
import type { SluiceError, TaskDeclaration } from '../../src/engine/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { loadUserTasks } from '../../src/loader/user-tasks.ts';
import type { Fault } from '../../src/schemas/problem.ts';
import { createManualClock, eventually } from '../http/sse-harness.ts';
import { folderWith } from './folder.ts';

const zodUrl = import.meta.resolve('zod');

async function loadOne(file: string, text: string): Promise<TaskDeclaration> {
  const [task] = await loadUserTasks(folderWith({ [file]: text }), []);
  if (task === undefined) return expect.fail('nothing was loaded');
  return task;
}

async function faultsIn(files: Record<string, string>, taken: string[] = []): Promise<string[]> {
  const folder = folderWith(files);
  const error = await loadUserTasks(folder, taken).then(
    () => expect.fail('the tasks are fine'),
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).faults.map((fault) => fault.replaceAll(`${folder}/`, ''));
}

/** As {@link faultsIn}, in a process of its own: the test runner reads modules in its own way, and finds other faults in them. */
function faultsInNode(files: Record<string, string>): string[] {
  const folder = folderWith(files);
  const script = `import { loadUserTasks } from ${JSON.stringify(import.meta.resolve('../../src/loader/user-tasks.ts'))};
    await loadUserTasks(${JSON.stringify(folder)}, []).catch((error) => console.log(JSON.stringify(error.faults)));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  return (JSON.parse(output) as string[]).map((fault) => fault.replaceAll(`${folder}/`, ''));
}

function paramFaults(task: TaskDeclaration, given: unknown): Fault[] {
  try {
    task.parseParams(given);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid-params' });
    return (error as SluiceError).errors ?? [];
  }
}

describe('loading', () => {
  it('names a task after its file and runs it as a method of its object', async () => {
    const task = await loadOne(
      'shout.mjs',
      'export default { description: "!", run(value) { return value.toUpperCase() + this.description } }',
    );
    expect(task).toMatchObject({ name: 'shout', kind: 'task', paramsSchema: null });
    expect(task.run('hey', {})).toBe('HEY!');
    expect(task.thread).toBeUndefined();
  });

  it('takes TypeScript', async () => {
    const task = await loadOne('double.ts', 'export default { run: (value: number): number => value * 2 }');
    expect(task.run(21, {})).toBe(42);
  });

  it('takes everything that a task may declare', async () => {
    const task = await loadOne(
      'x.mjs',
      `export default { name: 'resize', description: 'Makes it smaller.', concurrency: 2, rateLimit: { limit: 5, perSeconds: 1 }, timeoutSeconds: 3, run: () => 1 }`,
    );
    expect(task).toMatchObject({
      name: 'resize',
      description: 'Makes it smaller.',
      concurrency: 2,
      rateLimit: { limit: 5, perSeconds: 1 },
      timeoutSeconds: 3,
    });
  });

  it('knows the module of a task that wants a thread', async () => {
    const folder = folderWith({ 'crunch.mjs': 'export default { thread: true, run: () => 1 }' });
    const [task] = await loadUserTasks(folder, []);
    expect(task).toMatchObject({ thread: true, module: pathToFileURL(join(folder, 'crunch.mjs')).href });
  });

  it('takes predicates and hooks', async () => {
    const files = {
      'done.mjs': 'export default { kind: "predicate", run: (value) => value.done }',
      'note.mjs': 'export default { kind: "hook", run() {} }',
    };
    expect((await loadUserTasks(folderWith(files), [])).map(({ name, kind }) => [name, kind])).toEqual([
      ['done', 'predicate'],
      ['note', 'hook'],
    ]);
  });

  it('checks the parameters of predicates and hooks, too, and gives them what was checked', async () => {
    const schema =
      '{ type: "object", additionalProperties: false, required: ["to"], properties: { to: { type: "string" }, n: { type: "integer", default: 3 } } }';
    const files = {
      'small.mjs': `export default { kind: "predicate", params: ${schema}, run: (value, { params }) => value < params.n }`,
      'note.mjs': `export default { kind: "hook", params: ${schema}, run: (id, told, info, { params }) => params.to + params.n }`,
      'plain.mjs': 'export default { kind: "hook", run() {} }',
    };
    const [note, plain, small] = (await loadUserTasks(folderWith(files), [])) as [TaskDeclaration, TaskDeclaration, TaskDeclaration];
    const params = small.parseParams({ to: 'x' });
    expect([small.run(2, { params }), small.run(3, { params })]).toEqual([true, false]);
    expect(note.run('i', null, {}, { params: note.parseParams({ to: 'me', n: 4 }) })).toBe('me4');
    for (const declaration of [small, note]) {
      expect(declaration.paramsSchema).toMatchObject({ required: ['to'] });
      for (const bad of [undefined, { to: 1 }, { to: 'x', cc: 'y' }]) expect(() => declaration.parseParams(bad)).toThrow(/./);
    }
    expect(() => plain.parseParams({ to: 'x' })).toThrow(/./);
  });

  it('leaves other files and subfolders alone', async () => {
    const files = {
      'a.mjs': 'import { one } from "./shared/one.mjs"; export default { run: () => one }',
      'shared/one.mjs': 'export const one = 1',
      'types.d.ts': 'export interface A {}',
      'package.json': '{}',
      '.draft.mjs': 'nonsense(',
      'notes.md': '',
    };
    expect((await loadUserTasks(folderWith(files), [])).map(({ name }) => name)).toEqual(['a']);
  });
});

describe('the log', () => {
  function collecting() {
    const warnings: { fields: object; message: string }[] = [];
    return { warnings, logger: { ...silentLogger, warn: (fields: object, message: string) => void warnings.push({ fields, message }) } };
  }

  it('names files that may have been meant as tasks', async () => {
    const { warnings, logger } = collecting();
    const good = 'export default { run() {} }';
    const folder = folderWith({
      ...{ 'a.mjs': good, 'b.mts': good, 'c.jsx': good, 'd.py': 'x', 'e.yaml': 'x', 'lib/f.py': 'x' },
      ...{
        'README.md': 'x',
        'package.json': '{}',
        'package-lock.json': '{}',
        'tsconfig.json': '{}',
        'types.d.ts': '',
        '.env': 'x',
        'a.mjs.map': '{}',
      },
    });
    expect((await loadUserTasks(folder, [], { logger })).map(({ name }) => name)).toEqual(['a']);
    expect(warnings).toEqual([
      {
        fields: { folder, files: ['b.mts', 'c.jsx', 'd.py', 'e.yaml'] },
        message: 'files of TASKS_DIR are left out: tasks are .js, .mjs, .cjs, .ts',
      },
    ]);
  });

  it('names a file that does not come to an end of loading, and gives it up after a minute', async () => {
    const { warnings, logger } = collecting();
    const clock = createManualClock();
    const folder = folderWith({
      'a.mjs': 'export default { run() {} }',
      'stuck.mjs': 'globalThis.isStuck = true; await new Promise(() => {}); export default { run() {} }',
    });
    const loading = loadUserTasks(folder, [], { logger, clock }).catch((error: ConfigError) => error.faults);
    await eventually(() => (globalThis as { isStuck?: boolean }).isStuck === true);
    clock.advance(9_999);
    expect(warnings).toEqual([]);
    for (let i = 0; i < 5; i++) clock.advance(10_000);
    const file = join(folder, 'stuck.mjs');
    expect(warnings.map(({ fields }) => fields)).toEqual([10, 20, 30, 40, 50].map((seconds) => ({ file, seconds })));
    clock.advance(10_000);
    expect(await loading).toEqual([`${file}: has not been loaded after 60 s`]);
    expect(clock.timers).toBe(0);
  });
});

describe('a bad file', () => {
  it.each([
    ['an error while it loads', 'throw new TypeError("no database")', /^bad.mjs: cannot be loaded: TypeError: no database$/],
    ['an import that leads nowhere', 'import "./nothing.mjs"', /^bad.mjs: cannot be loaded: .*nothing.mjs/],
    ['no default export', 'export const run = () => 1', /^bad.mjs: has no default export$/],
    ['a function for an object', 'export default () => 1', /^bad.mjs: its default export must be an object$/],
    ['no run', 'export default {}', /^bad.mjs: run must be a function$/],
    ['a run that is no function', 'export default { run: 1 }', /^bad.mjs: run must be a function$/],
    ['an unknown field', 'export default { run() {}, retries: 3 }', /^bad.mjs: retries is an unknown field$/],
    ['a kind that does not exist', 'export default { kind: "job", run() {} }', /^bad.mjs: kind .*"task"/],
    ['a bad name', 'export default { name: "a b", run() {} }', /^bad.mjs: name must be 1 to 128 characters/],
    ['a bad limit', 'export default { concurrency: 0, run() {} }', /^bad.mjs: concurrency /],
    ['a bad rate limit', 'export default { rateLimit: { limit: 1 }, run() {} }', /^bad.mjs: rateLimit\/perSeconds /],
    ['a bad timeout', 'export default { timeoutSeconds: 0, run() {} }', /^bad.mjs: timeoutSeconds /],
    ['params that are no schema', 'export default { params: "text", run() {} }', /^bad.mjs: params must be a zod schema or a JSON Schema$/],
    ['a broken JSON Schema', 'export default { params: { type: "objekt" }, run() {} }', /^bad.mjs: params is not a usable JSON Schema: /],
    ['a thread for a hook', 'export default { kind: "hook", thread: true, run() {} }', /^bad.mjs: thread is not allowed for a hook$/],
  ])('is named with %s', async (_, text, expected) => {
    expect(await faultsIn({ 'bad.mjs': text })).toEqual([expect.stringMatching(expected)]);
  });

  it.each([
    [
      'a syntax error, with its line',
      'bad.mjs',
      'export default {\n  run() { return ( }\n}',
      /^bad.mjs: cannot be loaded: SyntaxError: .+ \(line 2\)$/,
    ],
    [
      'types that cannot simply be left out',
      'bad.ts',
      'enum A { B }\nexport default { run: () => A.B }',
      /^bad.ts: cannot be loaded: SyntaxError: .*enum/,
    ],
  ])('is named with %s', (_, file, text, expected) => {
    expect(faultsInNode({ [file]: text })).toEqual([expect.stringMatching(expected)]);
  });

  it('is one whose file name is no name of a task', async () => {
    expect(await faultsIn({ 'my task.mjs': 'export default { run() {} }' })).toEqual([
      expect.stringMatching(/^my task.mjs: its file name is not a valid task name: .* give it a name$/),
    ]);
  });

  it('is one that takes the name of a built-in task, or of another file', async () => {
    const files = {
      'a.mjs': 'export default { run() {} }',
      'b.mjs': 'export default { name: "a", run() {} }',
      'hash.mjs': 'export default { run() {} }',
    };
    expect(await faultsIn(files, ['hash'])).toEqual([
      expect.stringMatching(/^b.mjs: the name "a" is taken by .*a.mjs$/),
      'hash.mjs: the name "hash" is taken by a built-in task',
    ]);
  });

  it('does not hide the others: every fault of every file is listed', async () => {
    const files = { 'a.mjs': 'export default { kind: 1, speed: 2 }', 'b.mjs': 'nonsense(', 'c.mjs': 'export default { run() {} }' };
    const faults = await faultsIn(files);
    expect(faults.map((fault) => fault.split(' ').slice(0, 2).join(' '))).toEqual([
      'a.mjs: kind',
      'a.mjs: run',
      'a.mjs: speed',
      'b.mjs: cannot',
    ]);
  });

  it('is a folder that is not there', async () => {
    await expect(loadUserTasks(join(folderWith(), 'none'), [])).rejects.toThrow(/^TASKS_DIR cannot be read:\n {2}- ENOENT/);
  });
});

describe('parameters', () => {
  it('are all refused by a task that declares none', async () => {
    const task = await loadOne('a.mjs', 'export default { run() {} }');
    expect(task.parseParams(undefined)).toBeUndefined();
    expect(paramFaults(task, { size: 1 })).toEqual([{ path: '/size', message: 'is an unknown field' }]);
  });

  describe('by JSON Schema', () => {
    const text = `export default { run() {}, params: {
      type: 'object', required: ['size'], additionalProperties: false,
      properties: { size: { type: 'integer', minimum: 1 }, unit: { type: 'string', default: 'px' } } } }`;

    it('are checked, with every fault', async () => {
      expect(paramFaults(await loadOne('a.mjs', text), { size: 0, colour: 'red' })).toEqual([
        { path: '', message: 'must NOT have additional properties ("colour")' },
        { path: '/size', message: 'must be >= 1' },
      ]);
      expect(paramFaults(await loadOne('a.mjs', text), undefined)).toEqual([{ path: '', message: "must have required property 'size'" }]);
    });

    it('are completed by the defaults without changing what was given', async () => {
      const given = { size: 2 };
      const task = await loadOne('a.mjs', text);
      expect(task.parseParams(given)).toEqual({ size: 2, unit: 'px' });
      expect(given).toEqual({ size: 2 });
      expect(task.paramsSchema).toMatchObject({ required: ['size'] });
    });
  });

  describe('by zod', () => {
    const withZod = (schema: string): string => `import { z } from '${zodUrl}'; export default { run() {}, params: ${schema} }`;

    it('are checked, with every fault', async () => {
      const task = await loadOne('a.mjs', withZod('z.strictObject({ list: z.array(z.object({ size: z.int() })), unit: z.string() })'));
      expect(paramFaults(task, { list: [{ size: 1.5 }], unit: 3 }).map(({ path }) => path)).toEqual(['/list/0/size', '/unit']);
    });

    it('are completed and turned by the schema itself', async () => {
      const task = await loadOne(
        'a.mjs',
        withZod('z.object({ at: z.iso.date().transform((text) => new Date(text)), unit: z.string().default("px") })'),
      );
      expect(task.parseParams({ at: '2026-11-23' })).toEqual({ at: new Date('2026-11-23'), unit: 'px' });
    });

    it('are shown as the JSON Schema of what may be given', async () => {
      const task = await loadOne('a.mjs', withZod('z.object({ size: z.int().default(1) })'));
      expect(task.paramsSchema).toMatchObject({ type: 'object', properties: { size: { type: 'integer', default: 1 } } });
      expect(task.paramsSchema).not.toHaveProperty('required');
    });

    it('are shown with a gap where JSON Schema has no word for them', async () => {
      const task = await loadOne('a.mjs', withZod('z.object({ when: z.date(), size: z.int() })'));
      expect(task.paramsSchema).toMatchObject({ properties: { when: {}, size: { type: 'integer' } } });
    });

    it('are refused by a schema that answers later', async () => {
      const task = await loadOne('a.mjs', withZod('z.object({}).refine(async () => true)'));
      expect(paramFaults(task, {})).toEqual([{ path: '', message: expect.stringContaining('asynchronous') }]);
    });
  });

  it('are checked by another library that follows Standard Schema', async () => {
    const text = `export default { run() {}, params: { '~standard': { version: 1, vendor: 'own',
      validate: (value) => value.size > 0 ? { value } : { issues: [{ message: 'must be positive', path: [{ key: 'size' }] }] } } } }`;
    const task = await loadOne('a.mjs', text);
    expect(task.parseParams({ size: 1 })).toEqual({ size: 1 });
    expect(paramFaults(task, { size: 0 })).toEqual([{ path: '/size', message: 'must be positive' }]);
    expect(task.paramsSchema).toEqual({});
  });
});
