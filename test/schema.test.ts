import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { definitionExample } from '../src/schemas/definition.ts';
import { compileSchema } from '../tasks/kit/json-schema.ts';

const check = compileSchema(JSON.parse(readFileSync('docs/definitions.schema.json', 'utf8')));
const checkFixture = compileSchema(JSON.parse(readFileSync('docs/fixtures.schema.json', 'utf8')));
const stage = (text: string) => check({ id: 'p', stages: [{ name: 'S', tasks: ['hash'], ...(parse(text) as object) }] });

const files = ['pipelines', 'examples']
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)))
  .filter((name) => name.endsWith('.yaml'));

describe('the schema of definition files', () => {
  it('is as the code makes it', () => {
    expect(() => execFileSync(process.execPath, ['scripts/schema.ts', '--check'])).not.toThrow();
  });

  it.each(files)('fits %s, whose first line points to it, or to the one of tests', (file) => {
    const isTest = file.endsWith('.test.yaml');
    const text = readFileSync(file, 'utf8');
    const pointer = `${file
      .split('/')
      .slice(1)
      .map(() => '../')
      .join('')}docs/${isTest ? 'fixtures' : 'definitions'}.schema.json`;
    expect(text.split('\n')[0]).toBe(`# yaml-language-server: $schema=${pointer}`);
    for (const document of parseAllDocuments(text)) expect((isTest ? checkFixture : check)(document.toJS())).toEqual([]);
  });

  it.each([
    [definitionExample],
    [[definitionExample]],
    [{ pipelines: [definitionExample], limits: { api: { concurrency: 1 } } }],
    [{ limits: { api: { limit: 1, perSeconds: 1 } } }],
  ])('takes every form of a file', (file) => {
    expect(check(file)).toEqual([]);
  });

  it.each([
    'tasks: [my_own, { task: my_other, with: { any: 1 } }]',
    'tasks: [{ task: http_request, limiter: api, with: { url: "{{ value.url }}", timeoutSeconds: "{{ value.t }}", headers: { a: "{{ b }}" } } }]',
    'tasks: [{ task: sleep, with: { seconds: 1 } }]',
    'onFailure: { task: http_notify, with: { url: "http://x" } }',
    'skipIf: { task: jsonata_true, with: { expression: "a" } }',
  ])('takes %s', (text) => {
    expect(stage(text)).toEqual([]);
  });

  it.each([
    'tasks: [{ task: sleep, with: { seconds: soon } }]',
    'tasks: [{ task: sleep }, { task: sleep, with: { secnds: 1 } }]',
    'tasks: [{ task: http_request, with: { url: "http://x", method: FETCH } }]',
    'onFailure: { task: http_notify, with: { url: 5 } }',
    'onFailure: { task: http_notify, limiter: api, with: { url: "http://x" } }',
    'wrkers: 5',
    'workers: 0',
  ])('refuses %s', (text) => {
    expect(stage(text)).not.toEqual([]);
  });
});
