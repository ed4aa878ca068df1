import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSluice, dataOf } from '../../src/client/index.ts';
import { create, definition, type ServiceOptions, startService } from '../http/app-harness.ts';
import { folderWith } from '../loader/folder.ts';
import { sluice, startSluice } from './sluice-process.ts';

async function serviceWith({ task = 'picky', ...options }: ServiceOptions & { task?: string } = {}) {
  const service = await startService(options);
  onTestFinished(() => service[Symbol.asyncDispose]());
  const url = await service.app.listen({ port: 0, host: '127.0.0.1' });
  await create(service, definition('p', task));
  return { service, env: { SLUICE_URL: url } };
}

const ndjson = (items: readonly unknown[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join('');

describe('feed', () => {
  it('uploads a file, and prints the id of its feed', async () => {
    const { service, env } = await serviceWith();
    const cwd = folderWith({ 'items.ndjson': ndjson([{ id: 'a' }, { id: 'b' }, { id: 'a' }]) });
    const { code, stdout, stderr } = await sluice(['feed', 'p', 'items.ndjson', '--feed', 'f', '--priority', '7'], { env, cwd });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'f\n', stderr: '2 items accepted, 1 known already.\n' });
    expect(await service.host.get('p').feedView('f')).toMatchObject({ total: 2, duplicates: 1, uploadComplete: true });
  });

  it('with --follow ends with 3 when items failed, and tells how many', async () => {
    const { env } = await serviceWith();
    const stdin = ndjson([{ id: 'a' }, { id: 'b', value: 'bad' }]);
    const { code, stdout, stderr } = await sluice(['feed', 'p', '--follow', '--json'], { env, stdin });
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ completed: 1, failed: 1, done: true });
    expect(stderr).toBe('1 completed, 1 failed.\n');
    expect(await sluice(['feed', 'p', '--follow'], { env, stdin: '{"id":"c"}' })).toMatchObject({ code: 0, stderr: '1 completed.\n' });
  });

  it('says when interrupted how to go on, and goes on so', async () => {
    const { service, env } = await serviceWith();
    const cwd = folderWith();
    const client = createSluice({ url: env.SLUICE_URL });
    const { asOf } = await dataOf(client.api.GET('/pipelines/{id}/stats', { params: { path: { id: 'p' } } }));
    const followed = client.follow('p', { after: asOf, status: ['completed'] });
    const feeding = startSluice(['feed', 'p', '-', '--feed', 'f'], { env, cwd });
    const numbers = Array.from({ length: 20 }, (_, n) => ({ n }));
    feeding.child.stdin?.write(ndjson(numbers.slice(0, 10)));
    let ended = 0;
    for await (const event of followed) if (event.event === 'status' && ++ended === 10) break;
    feeding.child.kill('SIGINT');
    const { code, stderr } = await feeding.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('sluice feed p <file> --feed f --resume');
    writeFileSync(join(cwd, 'all.ndjson'), ndjson(numbers));
    expect(await sluice(['feed', 'p', 'all.ndjson', '--feed', 'f', '--resume'], { env, cwd })).toMatchObject({ code: 0, stdout: 'f\n' });
    expect((await service.host.get('p').feedView('f')).total).toBe(20);
  });

  it('goes on with an interrupted --append by the command that it printed, with all of the file and nothing twice', async () => {
    const { service, env } = await serviceWith({ task: 'gated' });
    const { gate } = service;
    const cwd = folderWith({ 'all.ndjson': ndjson([{ key: 'c' }, { key: 'd' }, { key: 'e' }]) });
    await createSluice({ url: env.SLUICE_URL }).feed('p', [{ id: 'a' }, { id: 'b' }, { id: 'a' }], { feedId: 'f' });
    const flags = ['--id-field', 'key', '--priority', '7', '--stage', 'Only', '--on-duplicate', 'rerun', '--url', env.SLUICE_URL];
    const feeding = startSluice(['feed', 'p', '--feed', 'f', '--append', ...flags], { cwd });
    feeding.child.stdin?.write(ndjson([{ key: 'c' }]));
    for (const id of ['a', 'b']) {
      await gate.arrived(id);
      gate.open(id);
    }
    await gate.arrived('c');
    feeding.child.kill('SIGINT');
    const { stderr } = await feeding.ended;
    const [, line = ''] = /to go on with it: sluice (.*)\n/.exec(stderr) ?? [];
    expect(line).toBe(
      `feed p <file> --feed f --resume-after 2+1 --stage Only --priority 7 --on-duplicate rerun --id-field key --url ${env.SLUICE_URL}`,
    );
    const resumed = await sluice(line.replace('<file>', 'all.ndjson').split(' '), { cwd });
    expect(resumed).toMatchObject({ code: 0, stderr: '3 items accepted.\n' });
    expect(await service.host.get('p').feedView('f')).toMatchObject({ total: 5, duplicates: 1 });
    for (const id of ['a', 'b', 'c', 'd', 'e']) expect(await service.host.get('p').item(id)).toMatchObject({ feedId: 'f' });
    gate.open();
  });
});

it('run prints each result, and keeps digits', async () => {
  const { env } = await serviceWith();
  const { code, stdout } = await sluice(['run', 'p'], { env, stdin: '{"id":1050118621198921728,"value":[1]}\n"bad"\n' });
  expect(code).toBe(3);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map(({ id, value, error }) => [error === null ? id : null, value, error?.message ?? null])).toEqual(
    expect.arrayContaining([
      ['1050118621198921728', [1], null],
      [null, null, 'it is bad'],
    ]),
  );
});

describe('results', () => {
  async function withResults() {
    const { env } = await serviceWith();
    const client = createSluice({ url: env.SLUICE_URL });
    const items = [
      { id: 'x', value: 'bad' },
      { id: 'a', value: { text: '=1+1, "so"', n: -5 } },
      { id: 'b', value: { text: null } },
    ];
    await client.feed('p', items, { feedId: 'f' });
    await client.wait('p', 'f');
    return env;
  }

  it('as CSV have the members of the values in columns', async () => {
    const csv = await sluice(['results', 'p', '--status', 'all', '-o', 'csv'], { env: await withResults() });
    expect(csv.stdout.split('\n')).toEqual([
      'id,sequenceId,feedId,error,errorType,text,n,rest',
      'x,1,f,it is bad,PermanentError,,,',
      `a,2,f,,,"'=1+1, ""so""",-5,`,
      'b,3,f,,,,,',
      '',
    ]);
  });

  it('as NDJSON are those of a feed or status, in no other format', async () => {
    const env = await withResults();
    const { stdout } = await sluice(['results', 'p', '--feed', 'f', '--status', 'completed'], { env });
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(['a', 'b']);
    const other = await sluice(['results', 'p', '-o', 'xml'], { env });
    expect(other).toMatchObject({ code: 2, stderr: 'error: -o xml is not a format: use ndjson or csv\n' });
  });
});

it('ls lists pipelines, as a table or as JSON', async () => {
  const { env } = await serviceWith();
  expect((await sluice(['ls'], { env })).stdout).toMatch(/^PIPELINE +STATE .*\np +running +0 +0 +0 +Only\n$/);
  expect(JSON.parse((await sluice(['ls', '--json'], { env })).stdout)).toMatchObject({ id: 'p', state: 'running' });
});

it.each([
  ['a pipeline', ['p']],
  ['a stage', ['p', 'Only']],
])('pause and resume stop and start %s', async (_, names) => {
  const { env } = await serviceWith();
  expect((await sluice(['pause', ...names], { env })).stdout).toBe('paused\n');
  expect((await sluice(['resume', ...names], { env })).stdout).toBe('running\n');
});

it('scale changes the workers of a stage, and changes them back', async () => {
  const { env } = await serviceWith();
  expect((await sluice(['scale', 'p', 'Only', '5'], { env })).stdout).toBe('Only: 5 workers, 1 in the definition\n');
  expect(await (await fetch(`${env.SLUICE_URL}/pipelines/p/workers`)).json()).toMatchObject({ Only: { length: 5 } });
  expect((await sluice(['scale', 'p', 'Only', '--reset'], { env })).stdout).toBe('Only: 1 workers, 1 in the definition\n');
  expect(await sluice(['scale', 'p', 'Only'], { env })).toMatchObject({ code: 2 });
});

describe('what failed', () => {
  async function withFailures() {
    const world = await serviceWith();
    const client = createSluice({ url: world.env.SLUICE_URL });
    const bad = ['a', 'b'].map((id) => ({ id, value: 'bad' }));
    await client.feed('p', bad, { feedId: 'f' });
    await client.wait('p', 'f');
    return { ...world, client };
  }

  it('is told by errors, in groups', async () => {
    const { env } = await withFailures();
    const { stdout } = await sluice(['errors', 'p'], { env });
    expect(stdout).toMatch(/^2 {2}\S+ {2}PermanentError in Only, last \S+\n {4}it is bad\n {4}b, a\n$/);
  });

  it('is told by errors --json with the number of those that are in no group', async () => {
    const server = createServer((_, response) =>
      response.setHeader('content-type', 'application/json').end('{"groups":[],"otherCount":12}'),
    );
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const env = { SLUICE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    expect((await sluice(['errors', 'p', '--json'], { env })).stdout).toBe('{"otherCount":12}\n');
  });

  it('is run again by retry, as far as it is meant', async () => {
    const { env } = await withFailures();
    const { group } = JSON.parse((await sluice(['errors', 'p', '--json'], { env })).stdout) as { group: string };
    const dry = await sluice(['retry', 'p', '--group', group, '--dry-run'], { env });
    expect(dry).toMatchObject({ code: 0, stdout: '2\n', stderr: '2 items would run again.\n' });
    expect((await sluice(['retry', 'p', '--type', 'Other'], { env })).stdout).toBe('0\n');
    expect((await sluice(['retry', 'p', 'a', '--group', group, '--json'], { env })).stdout).toBe('{"retried":1,"dryRun":false}\n');
  });
});

it('cancel ends items that have not ended, and asks for what is meant', async () => {
  const { service, env } = await serviceWith();
  await service.host.get('p').pauseStage('Only');
  await createSluice({ url: env.SLUICE_URL }).feed('p', [{ id: 'c' }, { id: 'd' }, { id: 'e' }], { feedId: 'g' });
  expect((await sluice(['cancel', 'p', 'c'], { env })).stdout).toBe('1\n');
  expect(await sluice(['cancel', 'p', '--feed', 'g'], { env })).toMatchObject({ stdout: '2\n', stderr: '2 items cancelled.\n' });
  expect((await sluice(['cancel', 'p', '--all', '--dry-run'], { env })).stdout).toBe('0\n');
  expect(await sluice(['cancel', 'p'], { env })).toMatchObject({ code: 2 });
});

it('why tells where an item is and what it waits for', async () => {
  const { service, env } = await serviceWith();
  await service.host.get('p').pauseStage('Only');
  await sluice(['feed', 'p'], { env, stdin: '{"id":"a"}' });
  const { stdout } = await sluice(['why', 'p', 'a'], { env });
  expect(stdout).toMatch(/^a queued in Only, since /);
  expect(stdout).toContain('It waits because its stage or the pipeline is paused');
});

describe('messages', () => {
  it('tell what is wrong and what can be done, on stderr', async () => {
    const { env } = await serviceWith();
    const unknown = await sluice(['why', 'p', 'x'], { env });
    expect(unknown).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^error: no item "x" \(item-not-found\)\n.+\.\n$/),
    });
  });

  it.each([
    ['a service that is not there', 69, ['ls', '--url', 'http://127.0.0.1:1'], 'Is the service running'],
    ['an address that is none', 2, ['ls', '--url', 'nonsense'], 'not the address of a service'],
    ['a command that is none', 2, ['lss'], 'Did you mean ls?'],
    ['a file that is not there', 2, ['feed', 'p', 'none.ndjson'], 'ENOENT'],
    ['an option that needs another', 2, ['feed', 'p', '--resume'], 'need --feed'],
    ['an option that another rules out', 2, ['feed', 'p', '--feed', 'f', '--append', '--resume'], '--resume-after'],
    ['a count that is none', 2, ['feed', 'p', '--feed', 'f', '--resume-after', '-1'], 'whole number'],
  ])('have a code for %s', async (_, code, args, message) => {
    expect(await sluice(args)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('never show control characters of others', async () => {
    const { env } = await serviceWith({ task: 'fail' });
    await sluice(['feed', 'p', '--follow'], { env, stdin: ndjson([{ id: 'a', value: '\u001b]0;owned\u0007' }]) });
    const { stdout } = await sluice(['why', 'p', 'a'], { env });
    expect(stdout).toContain('owned');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  });

  it('of the help begin with examples', async () => {
    const { code, stdout } = await sluice(['feed', '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Examples:\n {2}sluice feed orders orders\.ndjson/);
  });
});

it('a key comes from the environment or a file', async () => {
  const key = 'slc_me_0123456789abcdef0123';
  const digest = createHash('sha256').update(key).digest('hex');
  const { env } = await serviceWith({ apiKeys: [{ name: 'me', scopes: new Set(['admin']), sha256Hex: digest }] });
  expect(await sluice(['ls'], { env })).toMatchObject({ code: 1, stderr: expect.stringContaining('(unauthenticated)') });
  expect(await sluice(['ls'], { env: { ...env, SLUICE_KEY: key } })).toMatchObject({ code: 0 });
  const cwd = folderWith({ key: `${key}\n` });
  expect(await sluice(['ls', '--key-file', 'key'], { env, cwd })).toMatchObject({ code: 0 });
  expect(await sluice(['ls', '--key-file', 'none'], { env, cwd })).toMatchObject({ code: 2 });
});

it('completion knows commands, options and pipelines', async () => {
  const { env } = await serviceWith();
  const complete = async (...words: string[]) => (await sluice(['__complete', '--', ...words], { env })).stdout.split('\n').slice(0, -1);
  expect(await complete('re')).toEqual(expect.arrayContaining(['resume', 'results']));
  expect(await complete('watch', '')).toEqual(['p']);
  expect(await complete('feed', 'p', '--res')).toEqual(['--resume', '--resume-after']);
  expect(await complete('feed', 'p', '--')).toEqual(expect.arrayContaining(['--follow', '--url', '--help']));
  expect(await complete('feed', 'p', '')).toEqual([]);
  for (const shell of ['bash', 'zsh', 'fish']) expect((await sluice(['completion', shell])).stdout).toContain('sluice __complete --');
});

it('store looks after a store without a service', async () => {
  const cwd = folderWith();
  const { code, stderr } = await sluice(['store'], { cwd });
  expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining('sluice store backup FILE') });
});
