import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lintFiles, openWorkshop } from '../../src/trial/index.ts';
import { folderWith } from '../loader/folder.ts';

/** The faults without the folder, which is another one in each test. */
async function faultsOf(
  files: Record<string, string>,
  { env = {}, assumeSecrets = false }: { env?: Record<string, string>; assumeSecrets?: boolean } = {},
) {
  const folder = folderWith(files);
  const workshop = await openWorkshop({ ...env, ...(env.TASKS_DIR !== undefined && { TASKS_DIR: join(folder, env.TASKS_DIR) }) });
  const faults = await lintFiles([folder], workshop, { assumeSecrets });
  return faults.map(({ file, line, column, message }) => `${file.slice(folder.length + 1)}:${line}:${column}: ${message}`);
}

const orders = 'id: orders\nstages:\n  - name: A\n    tasks: [hash]\n';

describe('lintFiles', () => {
  it('finds nothing in definitions that a service would load', async () => {
    expect(await faultsOf({ 'orders.yaml': orders })).toEqual([]);
  });

  it('tells every fault of every file, of shape and of meaning, with its line and column', async () => {
    const faults = await faultsOf({
      'a.yaml': 'id: a\nstages:\n  - name: A\n    workers: 0\n    tasks: [nothing]\n',
      'b.yaml':
        'id: b\nstages:\n  - name: B\n    tasks:\n      - { task: jsonata, with: { expression: "1 +" } }\n      - { task: hash, limiter: none }\n',
      'c.json': '{"id": "a", "stages": [{"name": "C",\n  "tasks": ["hash"]}]}',
      'd.yaml': 'id: d\nstages: [\n',
    });
    expect(faults.slice(0, 2)).toEqual([
      'a.yaml:4:14: /stages/0/workers must be >= 1',
      'a.yaml:5:13: /stages/0/tasks/0 no task "nothing" is registered',
    ]);
    expect(faults[2]).toMatch(/^b\.yaml:5:46: \/stages\/0\/tasks\/0\/with\/expression /);
    expect(faults[3]).toMatch(/^b\.yaml:6:\d+: \/stages\/0\/tasks\/1\/limiter /);
    expect(faults[4]).toMatch(/^d\.yaml:3:1: /);
    expect(faults).toHaveLength(5);
  });

  it('knows limiters of other files, and tells names that are taken and expressions that are not valid', async () => {
    const limiter = 'limits:\n  api: { concurrency: 1, key: "value." }\n';
    const user = 'id: orders\nstages:\n  - name: A\n    tasks: [{ task: hash, limiter: api }]\n';
    const faults = await faultsOf({ 'limits.yaml': limiter, 'one.yaml': user, 'two.yaml': orders });
    expect(faults[0]).toMatch(/^limits\.yaml:2:\d+: .*key/);
    expect(faults.at(-1)).toMatch(/^two\.yaml:1:1: the id "orders" is taken by .*one\.yaml:1$/);
    expect(await faultsOf({ 'limits.yaml': limiter.replace('value.', 'value.x'), 'one.yaml': user })).toEqual([]);
  });

  it('knows the tasks of TASKS_DIR, and checks their parameters', async () => {
    const task =
      "export default { params: { type: 'object', required: ['n'], properties: { n: { type: 'number' } } }, run: (value) => value };";
    const files = { 'tasks/add.mjs': task, 'a.yaml': 'id: a\nstages: [{ name: A, tasks: [{ task: add, with: { n: x } }] }]\n' };
    const faults = await faultsOf(files, { env: { TASKS_DIR: 'tasks' } });
    expect(faults).toEqual([expect.stringMatching(/^a\.yaml:2:\d+: \/stages\/0\/tasks\/0\/with\/n must be number$/)]);
  });

  it('takes secrets for set when it is told to', async () => {
    const files = {
      'a.yaml': `id: a\nstages:\n  - name: A\n    tasks: [{ task: http_request, with: { url: 'https://a.example/{{ secrets.KEY }}' } }]\n`,
    };
    expect(await faultsOf(files)).toEqual([expect.stringMatching(/^a\.yaml:4:\d+: .*SECRET_KEY is not set$/)]);
    expect(await faultsOf(files, { env: { SECRET_KEY: 'a-long-enough-secret' } })).toEqual([]);
    expect(await faultsOf(files, { assumeSecrets: true })).toEqual([]);
  });

  it('leaves tests beside definitions alone', async () => {
    expect(await faultsOf({ 'orders.yaml': orders, 'orders.test.yaml': 'tests: []\n' })).toEqual([]);
  });
});
