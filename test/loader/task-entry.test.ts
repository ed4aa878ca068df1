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
