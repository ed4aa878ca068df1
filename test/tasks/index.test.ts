import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTaskRegistry } from '../../src/engine/index.ts';
import { builtInTasks } from '../../tasks/index.ts';
import { compileSchema } from '../../tasks/kit/json-schema.ts';

const tasks = builtInTasks({ outputDir: 'unused', httpAllowHosts: [] });

it('registers every file of tasks/ under its name', () => {
  const files = globSync('tasks/*.ts').map((path) => basename(path, '.ts'));
  expect(tasks.map(({ name }) => name).sort()).toEqual(files.filter((name) => name !== 'index').sort());
});

it('has no two tasks of one name', () => {
  expect(createTaskRegistry(tasks).list()).toHaveLength(tasks.length);
});

describe.each(tasks)('$name', (task) => {
  const examples = task.paramsSchema?.examples as unknown[];

  it('says what it does', () => {
    expect(task.description).toMatch(/^[A-Z].+[.]$/);
  });

  it('has an example that its schema and its own check both take', () => {
    expect(examples.length).toBeGreaterThan(0);
    const check = compileSchema(task.paramsSchema);
    for (const example of examples) {
      expect(check(example)).toEqual([]);
      expect(() => task.parseParams(example)).not.toThrow();
    }
  });
});
