import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { variables } from '../src/config.ts';
import { ERROR_CODES } from '../src/schemas/problem.ts';
import { builtInTasks } from '../tasks/index.ts';
import { loadedInNode } from './loader/in-node.ts';

const page = (name: string): string => readFileSync(`docs/${name}.md`, 'utf8');
/** What stands in backquotes at the begin of a table's rows. */
const rowsOf = (text: string): string[] => [...text.matchAll(/^\| `([^`]+)` \|/gm)].map((row) => String(row[1])).sort();

describe('the pages that are made from the code', () => {
  it('are as the code makes them', () => {
    expect(() => execFileSync(process.execPath, ['scripts/docs.ts', '--check'], { stdio: 'pipe' })).not.toThrow();
  });

  it('list the error codes of the catalogue and no others', () => {
    expect(rowsOf(page('errors'))).toEqual(Object.keys(ERROR_CODES).sort());
  });

  it('list the variables of the configuration and no others', () => {
    expect(rowsOf(page('configuration'))).toEqual(Object.keys(variables.shape).sort());
  });

  it('have a section for every built-in task and no others', () => {
    const sections = [...page('tasks').matchAll(/^### `(.+)`$/gm)].map((section) => section[1]);
    expect(sections.sort()).toEqual(
      builtInTasks({ outputDir: 'unused', httpAllowHosts: [] })
        .map(({ name }) => name)
        .sort(),
    );
  });

  it('describe the fields of every kind of event', () => {
    expect(page('events').match(/^\| Field \| .*\n\| --- .*\n\| `\w+`/gm)).toHaveLength(5);
  });

  it('show a task of one’s own that can be loaded', () => {
    const [, example] = /```ts\n(.+?)```/s.exec(page('tasks')) ?? [];
    const script = `const { parseParams, ...task } = find('measure'); console.log(JSON.stringify({ ...task, params: parseParams(undefined) }));`;
    const task = loadedInNode({ 'measure.ts': String(example) }, script);
    expect(task).toMatchObject({ name: 'measure', concurrency: 4, timeoutSeconds: 30, params: { field: 'bytes' } });
  });
});

it('the page on security names tests that exist', () => {
  const cells = page('security')
    .split('\n')
    .map((row) => row.split(' | ').at(-1) ?? '');
  const named = cells.flatMap((cell) => [...cell.matchAll(/`(test\/[^`]+)`((?: "[^"]+",?)*)/g)]);
  expect(named.length).toBeGreaterThan(40);
  for (const [, file = '', titles = ''] of named) {
    const text = readFileSync(file, 'utf8');
    for (const [, title] of titles.matchAll(/"([^"]+)"/g)) expect(text, file).toContain(title);
  }
});
