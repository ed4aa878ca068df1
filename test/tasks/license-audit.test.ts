import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readDefinitions } from '../../src/loader/definitions.ts';
import { builtInTasks } from '../../tasks/index.ts';
import { folderWith } from '../loader/folder.ts';
import { use } from './running.ts';

/** Sends a value through every task of the definition, one after the other. */
async function auditInto(outputDir: string): Promise<(manifest: unknown) => Promise<unknown>> {
  const {
    definitions: [loaded],
  } = await readDefinitions('pipelines/license-audit.yaml');
  const tasks = new Map(builtInTasks({ outputDir, httpAllowHosts: [] }).map((task) => [task.name, task]));
  const uses = (loaded?.definition.stages ?? []).flatMap(({ tasks: named }) =>
    named.map((one) => {
      const { task: name, with: params } = typeof one === 'string' ? { task: one, with: undefined } : one;
      const task = tasks.get(name);
      return task === undefined ? expect.fail(`there is no task ${name}`) : use(task, params);
    }),
  );
  return (manifest) => uses.reduce(async (value, run) => run(await value), Promise.resolve(manifest));
}

const manifest = { name: '@scope/pkg', version: '1.2.3-rc.1', license: 'MIT', dependencies: { a: '^1.0.0', b: '2' }, scripts: {} };

describe('the pipeline license-audit', () => {
  it('keeps name, version, license and number of dependencies, with a digest, and records them', async () => {
    const outputDir = folderWith();
    const record = await (await auditInto(outputDir))(manifest);
    expect(record).toEqual({
      name: '@scope/pkg',
      version: '1.2.3-rc.1',
      license: 'MIT',
      dependencies: 2,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(JSON.parse(readFileSync(join(outputDir, 'license-audit.ndjson'), 'utf8'))).toEqual(record);
  });

  it.each([
    ['an SPDX expression', '(MIT OR Apache-2.0)', '(MIT OR Apache-2.0)'],
    ['an object', { type: 'BSD', url: 'x' }, 'BSD'],
    ['a list', [{ type: 'MIT' }, 'ISC'], 'MIT OR ISC'],
  ])('takes a license that is %s', async (_, license, expected) => {
    expect(await (await auditInto(folderWith()))({ ...manifest, license })).toMatchObject({ license: expected });
  });

  it('counts no dependencies as 0', async () => {
    const { dependencies: _, ...without } = manifest;
    const audit = await auditInto(folderWith());
    expect(await audit(without)).toMatchObject({ dependencies: 0 });
    expect(await audit({ ...manifest, dependencies: {} })).toMatchObject({ dependencies: 0 });
  });

  it.each([
    ['a marker of a folder', { type: 'module' }, ["'name'", "'version'", "'license'"]],
    ['no license', { ...manifest, license: undefined }, ["'license'"]],
    ['an empty name', { ...manifest, name: '' }, ['/name']],
    ['a version that is none', { ...manifest, version: 'latest' }, ['/version']],
    ['an empty license', { ...manifest, license: '' }, ['/license']],
    ['an empty list of licenses', { ...manifest, license: [] }, ['/license']],
    ['a manifest that is no JSON', '{ name: oops', ['must be object']],
  ])('fails for good, with the reasons, on %s', async (_, value, reasons) => {
    const error = await (await auditInto(folderWith()))(value).then(
      () => expect.fail('it passes'),
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ permanent: true });
    for (const reason of reasons) expect(error.message).toContain(reason);
  });
});

describe('the manifests of a folder', () => {
  const print = async (folder: string): Promise<string> =>
    (await promisify(execFile)(process.execPath, ['examples/license-audit/manifests.ts', folder])).stdout;

  it('are printed one a line, in the order of their paths', async () => {
    const folder = folderWith({
      'b/package.json': '{ "name": "b",\n  "version": "1.0.0" }',
      '@a/x/package.json': '{ "name": "@a/x" }',
      'b/node_modules/c/package.json': '{}',
      'b/index.js': '',
    });
    symlinkSync('b', join(folder, 'link'));
    expect(await print(folder)).toBe(
      '{"id":"@a/x/package.json","value":{"name":"@a/x"}}\n' +
        '{"id":"b/node_modules/c/package.json","value":{}}\n' +
        '{"id":"b/package.json","value":{"name":"b","version":"1.0.0"}}\n',
    );
  });

  it('are handed on as text when they are no JSON', async () => {
    expect(await print(folderWith({ 'a/package.json': '{ oops' }))).toBe('{"id":"a/package.json","value":"{ oops"}\n');
  });
});
