import { describe, expect, it } from 'vitest';
import { loadedInNode } from './in-node.ts';

const SHARED = `
  interface Params { times: number }
  export default defineTask<string, Params>({
    params: { type: 'object', properties: { times: { type: 'integer', default: 2 } } },
    run: (value, ctx) => value.repeat(ctx.params.times),
`;
const FILES = {
  'twice.ts': `import { defineTask, type TaskContext } from 'sluice/task';${SHARED}});`,
  'twice_in_a_thread.ts': `import { defineTask } from 'sluice/task';${SHARED} thread: true });`,
  'is_empty.ts': `import { definePredicate } from 'sluice/task'; export default definePredicate({ run: (value: unknown) => value === '' });`,
  'told.mts': 'this is left alone',
  'told.js': `import { defineHook } from 'sluice/task'; export default defineHook({ run: (itemId) => itemId });`,
};

describe('sluice/task', () => {
  it('is there for the files of a folder that has no packages, and keeps what they say', () => {
    const found = loadedInNode(
      FILES,
      `console.log(JSON.stringify(tasks.map(({ name, kind, thread, paramsSchema }) => [name, kind, thread ?? false, paramsSchema !== null])));`,
    );
    expect(found).toEqual([
      ['is_empty', 'predicate', false, false],
      ['told', 'hook', false, false],
      ['twice', 'task', false, true],
      ['twice_in_a_thread', 'task', true, true],
    ]);
  });

  it('is there in the event loop and in a worker thread', () => {
    const found = loadedInNode(
      FILES,
      `
      const params = find('twice').parseParams({});
      const { module } = find('twice_in_a_thread');
      const context = { itemId: 'i', sequenceId: 1, pipeline: 'p', stage: 's', task: 't', worker: 'w', attempt: 1, metadata: {}, params };
      const threads = createThreadRunner({ maxThreads: 1 });
      const job = { module, args: ['ab'], context, onBegin() {}, onStatus() {}, onProgress() {} };
      const apart = await threads.run(job, new AbortController().signal);
      await threads.close();
      console.log(JSON.stringify([find('twice').run('ab', { params }), apart, find('is_empty').run('')]));`,
    );
    expect(found).toEqual(['abab', 'abab', true]);
  });
});

describe('a folder whose package.json says commonjs, as npm init writes it', () => {
  const files = {
    'package.json': '{"name":"tasks","type":"commonjs"}',
    'twice.js': 'import { by } from "./lib/by.js"; export default { run: (value) => value * by };',
    'typed.ts': 'import { by } from "./lib/by.js"; type N = number; export default { run: (value: N): N => value + by };',
    'waits.js': 'const by = await Promise.resolve(5); export default { run: (value) => value * by };',
    'apart.js': 'import { by } from "./lib/by.js"; export default { thread: true, run: (value) => value - by };',
    'lib/by.js': 'export const by = 2;',
    'older.js': 'const { by } = require("./lib/older.js"); module.exports = { run: (value) => value / by };',
    'lib/older.js': 'exports.by = 4;',
    'plain.cjs': '// export nothing\nmodule.exports = { run: (value) => [value, "import x"] };',
    'compiled.cjs': 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = { run: (value) => -value };',
    'packaged.js': 'import thing from "thing"; import other from "other"; export default { run: (value) => [value, thing.name, other] };',
    'node_modules/thing/package.json': '{"name":"thing","main":"index.js"}',
    'node_modules/thing/index.js': 'module.exports = { name: "thing" };',
    'node_modules/other/package.json': '{"name":"other","type":"module","exports":"./index.js"}',
    'node_modules/other/index.js': 'export default "other";',
  };

  it('may have modules and CommonJS, packages and threads', () => {
    const found = loadedInNode(
      files,
      `
      const { module } = find('apart');
      const context = { itemId: 'i', sequenceId: 1, pipeline: 'p', stage: 's', task: 't', worker: 'w', attempt: 1, metadata: {} };
      const threads = createThreadRunner({ maxThreads: 1 });
      const apart = await threads.run({ module, args: [8], context, onBegin() {}, onStatus() {}, onProgress() {} }, new AbortController().signal);
      await threads.close();
      const names = tasks.map(({ name }) => name);
      console.log(JSON.stringify([names, ...names.filter((name) => name !== 'apart').map((name) => find(name).run(8, {})), apart]));`,
    );
    expect(found).toEqual([
      ['apart', 'compiled', 'older', 'packaged', 'plain', 'twice', 'typed', 'waits'],
      ...[-8, 2, [8, 'thing', 'other'], [8, 'import x'], 16, 10, 40],
      6,
    ]);
  });
});
