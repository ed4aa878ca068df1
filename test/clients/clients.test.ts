/** What linters and client generators make of the OpenAPI documents, and whether it works against a service. */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Use } from '../../tools/clients/uses/use.ts';
import { create, type Service, startService } from '../http/app-harness.ts';

const folder = fileURLToPath(new URL('../../tools/clients/', import.meta.url));
const CLIENTS = ['openapi-fetch', 'hey-api', 'orval'];

/** Runs a program of the packages of tools/clients there. What it printed is in the error if it fails. */
async function program(name: string, ...args: string[]): Promise<string> {
  const path = `node_modules/.bin/${name}`;
  return promisify(execFile)(process.execPath, [path, ...args], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } }).then(
    ({ stdout, stderr }) => stdout + stderr,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`${name} failed:\n${stdout}${stderr}`);
    },
  );
}

beforeAll(async () => {
  rmSync(`${folder}generated`, { recursive: true, force: true });
  const document = '../../openapi/client.json';
  await program('openapi-typescript', document, '--output', 'generated/openapi-typescript.ts');
  await program('openapi-typescript', '../../openapi/openapi.json', '--output', 'generated/whole.ts');
  await program('openapi-ts', '--input', document, '--output', 'generated/hey-api', '--silent', '--no-log-file');
  await program('orval');
});

it.each(['openapi.json', 'client.json'])('redocly finds no error in %s', async (name) => {
  expect(await program('redocly', 'lint', `../../openapi/${name}`, '--format', 'summary')).toContain('Your API description is valid');
});

it('what the generators make compiles, together with programs that use it', async () => {
  expect(await program('tsc', '-p', 'tsconfig.json')).toBe('');
});

describe.each(CLIENTS)('the client of %s', (name) => {
  async function start(): Promise<{ service: Service; client: Use }> {
    const service = await startService();
    onTestFinished(() => service[Symbol.asyncDispose]());
    const url = await service.app.listen({ port: 0, host: '127.0.0.1' });
    await create(service, { id: 'p', stages: [{ name: 'Check', tasks: ['picky'] }] });
    const { use } = (await import(`${folder}uses/${name}.ts`)) as { use: (baseUrl: string) => Use };
    return { service, client: use(url) };
  }

  it('feeds any JSON values, and has the receipt', async () => {
    const { client } = await start();
    const items = [{ id: 'https://example.org/?a=1&b=2' }, 'text', 7, true, null, [1, [2]], { id: 'n', value: { deep: [{}] } }];
    const receipt = await client.feed('p', items);
    expect(receipt).toMatchObject({ accepted: items.length, feedId: expect.any(String) });
    expect(receipt.ids).toEqual(expect.arrayContaining(['https://example.org/?a=1&b=2', 'n']));
    expect(receipt.ids).toHaveLength(items.length);
  });

  it('runs items, and has the result of each', async () => {
    const { client } = await start();
    const results = await client.run('p', [
      { id: 'a', value: { n: 1 } },
      { id: 'b', value: 'bad' },
      { id: 'c', value: null },
    ]);
    expect(results).toEqual([
      { id: 'a', value: { n: 1 }, error: null },
      { id: 'b', value: null, error: 'PermanentError' },
      { id: 'c', value: null, error: null },
    ]);
  });

  it('reads a filtered list page by page', async () => {
    const { service, client } = await start();
    await client.run(
      'p',
      ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, value: id === 'd' ? 'bad' : id })),
    );
    await service.host.get('p').pauseStage('Check');
    await client.feed('p', [{ id: 'waits' }]);
    expect(await client.list('p')).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('reads typed events from the stream, of which it leaves', async () => {
    const { client } = await start();
    const after = await client.asOf('p');
    const reading = client.firstFailure('p', after);
    await client.feed('p', [{ id: 'good' }, { id: 'poor', value: 'bad' }]);
    expect(await reading).toEqual({ itemId: 'poor', stage: 'Check', final: true });
  });

  it('has the problem of a request that is refused', async () => {
    const { client } = await start();
    const problem = await client.problem('p', 'https://example.org/a b?c#d');
    expect(problem).toEqual({ code: 'item-not-found', status: 404, fix: expect.stringMatching(/./) });
    expect(await client.problem('none', 'x')).toMatchObject({ code: 'pipeline-not-found', status: 404 });
  });
});
