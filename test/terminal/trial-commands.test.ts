/** `sluice lint`, `sluice test` and `sluice bench` as processes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { folderWith } from '../loader/folder.ts';
import { startSluice } from './sluice-process.ts';

interface Ended {
  out: string;
  said: string;
  code: number | null;
}

async function sluice(cwd: string, ...words: string[]): Promise<Ended> {
  const { stdout: out, stderr: said, code } = await startSluice(words, { cwd, env: { NO_COLOR: '1' } }).ended;
  return { out, said, code };
}

const orders = `id: orders
stages:
  - name: Check
    tasks: [{ task: json_schema, with: { schema: { type: object, required: [n] } } }]
  - name: Double
    workers: 2
    taskWaitSeconds: 900
    tasks: [{ task: http_request, with: { method: POST, url: 'https://api.example.com/double', body: '{{ value }}' } }, { task: jsonata, with: { expression: body } }]
`;
const tests = `http:
  - { url: 'https://api.example.com/double', body: { n: 2 }, replies: [{ status: 503 }, { json: { n: 4 } }] }
tests:
  - name: doubles when the server is there again
    items: [{ id: a, value: { n: 2 } }, { id: b, value: {} }]
    results: [{ id: a, value: { n: 4 } }, { error: { stage: Check } }]
    seconds: { min: 900, max: 901 }
`;

describe('sluice lint', () => {
  it('prints each fault as compilers do, and ends with 1', async () => {
    const folder = folderWith({ 'orders.yaml': orders.replace('json_schema', 'jason_schema').replace('workers: 2', 'workers: two') });
    const { out, said, code } = await sluice(folder, 'lint', 'orders.yaml');
    expect(out.split('\n')).toEqual([
      'orders.yaml:4:13: /stages/0/tasks/0 no task "jason_schema" is registered',
      expect.stringMatching(/^orders\.yaml:6:14: \/stages\/1\/workers must be /),
      '',
    ]);
    expect(said).toBe('error: 2 faults in 1 file.\n');
    expect(code).toBe(1);
  });

  it('prints a JSON object a line with --json', async () => {
    const folder = folderWith({ 'orders.yaml': orders.replace('workers: 2', 'workers: 0') });
    const { out, code } = await sluice(folder, 'lint', '--json', '.');
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([{ file: 'orders.yaml', line: 6, column: 14, message: '/stages/1/workers must be >= 1' }]);
    expect(code).toBe(1);
  });

  it('ends with 0 when there are none, and with 2 for what it cannot read', async () => {
    const task = 'export default { run: (value) => value };';
    const folder = folderWith({
      'orders.yaml': orders.replace('json_schema, with: { schema: { type: object, required: [n] } }', 'own'),
      'tasks/own.mjs': task,
    });
    expect(await sluice(folder, 'lint', 'orders.yaml', '--tasks', 'tasks')).toEqual({ out: '', said: 'No faults.\n', code: 0 });
    const none = await sluice(folder, 'lint', 'none.yaml');
    expect(none).toMatchObject({ out: '', code: 2 });
    expect(none.said).toContain('no such file');
    expect((await sluice(folder, 'lint')).code).toBe(2);
  });
});

describe('sluice test', () => {
  it('runs the tests beside a definition without its waits', async () => {
    const folder = folderWith({ 'pipelines/orders.yaml': orders, 'pipelines/orders.test.yaml': tests });
    const began = performance.now();
    expect(await sluice(folder, 'test')).toEqual({
      out: '✓ pipelines/orders.test.yaml: doubles when the server is there again (2 requests, 15 min 0 s of waits and answers)\n',
      said: '1 test passed.\n',
      code: 0,
    });
    expect(performance.now() - began).toBeLessThan(900_000);
    expect((await sluice(folder, 'test', 'pipelines/orders.yaml', '--name', 'server')).code).toBe(0);
  });

  it('passes all tests beside the definitions of this repository', { timeout: 60_000 }, async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const files = ['pipelines', 'examples'].flatMap((folder) =>
      (readdirSync(join(root, folder), { recursive: true }) as string[])
        .filter((name) => /\.test\.(ya?ml|json)$/.test(name))
        .map((name) => join(folder, name)),
    );
    const count = files
      .map((file) => (parse(readFileSync(join(root, file), 'utf8')) as { tests: unknown[] }).tests.length)
      .reduce((sum, tests) => sum + tests, 0);
    expect(files.length).toBeGreaterThanOrEqual(2);
    const { out, said, code } = await sluice(root, 'test', ...files);
    expect({ said, code }, out).toEqual({ said: `${count} tests passed.\n`, code: 0 });
    for (const file of files) expect(out).toContain(`✓ ${file}: `);
  });

  it('tells what is not so, with the place in the file of tests, and ends with 1', async () => {
    const folder = folderWith({ 'orders.yaml': orders, 'orders.test.yaml': tests.replace('value: { n: 4 }', 'value: { n: 5 }') });
    const { out, said, code } = await sluice(folder, 'test', 'orders.test.yaml');
    expect(out).toContain('✗ orders.test.yaml: doubles when the server is there again');
    expect(out).toContain('  orders.test.yaml:6:31: /results/0/value is {"n":5}, but a has {"n":4}\n');
    expect(said).toBe('error: 0 tests passed, 1 failed.\n');
    expect(code).toBe(1);
  });

  it('tells faults of the tests and of the definitions as lint does', async () => {
    const folder = folderWith({
      'a.yaml': orders.replace('workers: 2', 'workers: 0'),
      'a.test.yaml': tests,
      'b.yaml': orders,
      'b.test.yaml': 'tests:\n  - { name: b, itms: [1] }\n',
      'c.test.json': '{"definitions": "b.yaml", "tests": [{"name": "c", "pipeline": "other", "items": [1]}]}',
    });
    const { out, code } = await sluice(folder, 'test', '.', '--json');
    const told = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(told.map(({ file, passed, faults }) => [file, passed, faults[0]])).toEqual([
      ['a.test.yaml', false, { file: 'a.yaml', line: 6, column: 14, message: '/stages/1/workers must be >= 1' }],
      ['b.test.yaml', false, { file: 'b.test.yaml', line: 2, column: expect.any(Number), message: expect.stringContaining('/tests/0') }],
      [
        'c.test.json',
        false,
        { file: 'c.test.json', line: 1, column: expect.any(Number), message: 'names the pipeline "other", but there is orders' },
      ],
    ]);
    expect(code).toBe(1);
  });

  it('ends with 2 where there are no tests, or none of that name', async () => {
    const folder = folderWith({ 'orders.yaml': orders, 'b.yaml': orders, 'b.test.yaml': tests });
    const none = await sluice(folder, 'test', 'orders.yaml');
    expect(none).toMatchObject({ out: '', code: 2 });
    expect(none.said).toContain('has no tests beside it, such as orders.test.yaml');
    expect(await sluice(folder, 'test', 'b.yaml', '--name', 'x')).toMatchObject({ code: 2, said: 'error: No test has "x" in its name.\n' });
  });
});

describe('sluice bench', () => {
  const served = tests.replace('{ status: 503 }, { json: { n: 4 } }', '{ afterSeconds: 0.02, json: { n: 4 } }');

  it('measures a definition with the items of a test', async () => {
    const folder = folderWith({ 'orders.yaml': orders, 'orders.test.yaml': served });
    const { out, code } = await sluice(folder, 'bench', 'orders.yaml', '--items', '40', '--in-flight', '4', '--json');
    expect(code).toBe(0);
    const figures = JSON.parse(out);
    expect(figures).toMatchObject({ pipeline: 'orders', items: 40, completed: 20, failed: 20, inFlight: 4, network: false });
    // Two workers, and each of twenty items has an answer after 20 ms.
    expect(figures.seconds).toBeGreaterThanOrEqual(0.19);
    expect(figures.itemsPerSecond).toBeCloseTo(40 / figures.seconds, 6);
    const { p50, p90, p99, max } = figures.itemSeconds;
    expect([p50, p90, p99, max]).toEqual([p50, p90, p99, max].toSorted((a: number, b: number) => a - b));
    expect(max).toBeGreaterThanOrEqual(0.019);
    const [check, double] = figures.stages;
    expect(check).toMatchObject({ stage: 'Check', workers: 1, failed: 20 });
    expect(double).toMatchObject({ stage: 'Double', workers: 2, failed: 0 });
    expect(double.meanSeconds).toBeGreaterThanOrEqual(0.019);
    expect(double.busy).toBeGreaterThan(check.busy);
    expect(double.busy).toBeLessThanOrEqual(1.01);
  });

  it('prints a table, and says what it did not measure', async () => {
    const folder = folderWith({ 'orders.yaml': orders, 'orders.test.yaml': served });
    const { out, said } = await sluice(folder, 'bench', join(folder, 'orders.test.yaml'), '--items', '10');
    expect(out).toMatch(/^orders: 10 items of "doubles .*", 3 at a time\n[\d.]+\/s \(.*\), 5 failed\nan item takes .*\nSTAGE +WORKERS/);
    expect(out).toMatch(/\nDouble +2 +\d+ %/);
    expect(said).toContain('without a store or HTTP');
  });

  it('measures nothing when the definition has faults', async () => {
    const folder = folderWith({ 'orders.yaml': orders.replace('workers: 2', 'workers: 0'), 'orders.test.yaml': served });
    const { out, said, code } = await sluice(folder, 'bench', 'orders.yaml');
    expect(out).toBe('');
    expect(said).toContain('orders.yaml:6:14: /stages/1/workers must be >= 1');
    expect(code).toBe(1);
  });
});
