/** SIGHUP: one process that is reloaded again and again. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyLine, secretOf } from '../http/access-harness.ts';
import { folderWith } from '../loader/folder.ts';
import { type Answer, type LogRecord, type ServerProcess, startServer } from './server.ts';

const pipeline = (id: string, more: object = {}) => ({ id, stages: [{ name: 'S', tasks: ['hash'], ...more }] });
const undo: (() => void)[] = [];
let folder: string;
let server: ServerProcess;

const write = (name: string, content: object | string): void =>
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));

function as(key: string, method: string, path: string, body?: unknown, secret?: string): Promise<Answer> {
  return server.call(method, path, body, { authorization: `Bearer ${secretOf(key, secret)}` });
}

/** Sends the signal, and resolves with the report of the reload and the lines on the way to it. */
async function reload(): Promise<{ report: LogRecord; lines: LogRecord[] }> {
  const from = server.log.length;
  server.signal('SIGHUP');
  const report = await server.logged('reloaded', (record) => server.log.indexOf(record) >= from);
  return { report, lines: server.log.slice(from) };
}

const faultsIn = (lines: readonly LogRecord[]) =>
  lines.filter(({ level }) => level >= 50).map(({ msg, part, faults }) => ({ msg, part, faults }));
const WRONG = 'a part of the reload is wrong; what was in force stays';

beforeAll(async () => {
  folder = folderWith(
    {
      keys: [keyLine('boss:admin'), keyLine('old:read'), keyLine('turns:read', '0000000000000000')].join('\n'),
      'pipelines/a.json': JSON.stringify({ pipelines: [pipeline('a'), pipeline('b')], limits: { api: { concurrency: 2 } } }),
      'secrets/TOKEN': 'hunter2-first\n',
    },
    (clean) => undo.push(clean),
  );
  server = await startServer({
    API_KEYS_FILE: join(folder, 'keys'),
    SECRETS_DIR: join(folder, 'secrets'),
    PIPELINES: join(folder, 'pipelines'),
  });
});
afterAll(() => {
  for (const clean of undo) clean();
});

describe('a reload', () => {
  it('of nothing that has changed says so, and changes nothing', async () => {
    const { report, lines } = await reload();
    expect(report).toMatchObject({
      audit: true,
      by: 'SIGHUP',
      keys: { added: [], changed: [], removed: [] },
      secrets: { added: [], changed: [], gone: [] },
      definitions: { created: [], changed: [], unchanged: 2, failed: [], gone: [], limiters: { created: [], changed: [], failed: [] } },
    });
    expect(lines).toEqual([report]);
  });

  it('takes keys, secrets, limiters and definitions, each by itself, and reports them by name', async () => {
    const stream = await server.events('/events', { authorization: `Bearer ${secretOf('old')}` });
    write('keys', [keyLine('boss:admin'), keyLine('turns:read', '1111111111111111'), keyLine('fresh:feed')].join('\n'));
    write('secrets/TOKEN', 'hunter2-second');
    write('secrets/MORE', 'hunter2-third');
    write('pipelines/a.json', {
      pipelines: [pipeline('a', { workers: 3 }), pipeline('c'), pipeline('d', { tasks: ['no_such_task'] })],
      limits: { api: { concurrency: 5 }, other: { concurrency: 1 } },
    });
    const { report, lines } = await reload();
    expect(report).toMatchObject({
      keys: { added: ['fresh'], changed: ['turns'], removed: ['old'] },
      secrets: { added: ['MORE'], changed: ['TOKEN'], gone: [] },
      definitions: {
        created: ['c'],
        changed: ['a'],
        unchanged: 0,
        failed: [{ name: 'd', source: expect.stringContaining('a.json:1'), reason: expect.stringContaining('no_such_task') }],
        gone: ['b'],
        limiters: { created: ['other'], changed: ['api'], failed: [] },
      },
    });
    expect(faultsIn(lines)).toEqual([{ msg: WRONG, part: 'definitions', faults: [expect.stringContaining('no_such_task')] }]);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    const ids = (await as('boss', 'GET', '/pipelines')).body.pipelines.map(({ id }: { id: string }) => id);
    expect(ids).toEqual(['a', 'b', 'c']);
    expect((await as('boss', 'GET', '/pipelines/a')).body).toMatchObject({
      definition: { stages: [{ workers: 3 }] },
      definitionSource: 'file',
      fileDiffers: false,
    });
    expect((await as('old', 'GET', '/pipelines')).status).toBe(401);
    expect((await as('turns', 'GET', '/whoami', undefined, '0000000000000000')).status).toBe(401);
    expect((await as('turns', 'GET', '/whoami', undefined, '1111111111111111')).status).toBe(200);
    // It redefined a pipeline, and says who.
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'audit', change: 'redefined', by: 'SIGHUP', pipeline: 'a' }));
    await stream.ended;
    await server.logged('what revoked keys had open was cut', ({ keys }) => JSON.stringify(keys) === '["old"]');
  });

  it('of what is wrong leaves all of it as it was, and says what is wrong', async () => {
    write('keys', 'boss:admin:tooshort');
    rmSync(join(folder, 'secrets'), { recursive: true });
    write('pipelines/a.json', '{ "pipelines": [');
    const { report, lines } = await reload();
    expect(report).toMatchObject({ keys: null, secrets: null, definitions: null });
    expect(faultsIn(lines).map(({ part }) => part)).toEqual(['keys', 'secrets', 'definitions']);
    expect(JSON.stringify(lines)).not.toContain('tooshort');
    expect((await as('boss', 'GET', '/pipelines/a')).body.definition.stages[0].workers).toBe(3);
    rmSync(join(folder, 'keys'));
    expect(faultsIn((await reload()).lines)[0]).toEqual({ msg: WRONG, part: 'keys', faults: ['API_KEYS_FILE cannot be read: ENOENT'] });
    write('keys', '# nobody');
    expect(faultsIn((await reload()).lines)[0]).toMatchObject({ part: 'keys', faults: ['API_KEYS_FILE contains no key'] });
    expect((await as('boss', 'GET', '/pipelines')).status).toBe(200);
  });

  it('warns where a pipeline was changed over the API, which holds until the file is changed', async () => {
    write('keys', keyLine('boss:admin'));
    write('pipelines/a.json', pipeline('a', { workers: 3 }));
    await reload();
    await as('boss', 'PUT', '/pipelines/a', pipeline('a', { workers: 7 }));
    const changed = { definition: { stages: [{ workers: 7 }] }, definitionSource: 'api', fileDiffers: true };
    expect((await as('boss', 'GET', '/pipelines/a')).body).toMatchObject(changed);
    const { report, lines } = await reload();
    expect(report).toMatchObject({ definitions: { changed: [], unchanged: 1 } });
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 40, pipeline: 'a', msg: expect.stringContaining('changed over the API') }),
    );
    expect((await as('boss', 'GET', '/pipelines/a')).body).toMatchObject(changed);
    write('pipelines/a.json', pipeline('a', { workers: 4 }));
    const second = await reload();
    expect(second.report).toMatchObject({ definitions: { changed: ['a'], unchanged: 0 } });
    expect(second.lines).toContainEqual(
      expect.objectContaining({ level: 40, pipeline: 'a', msg: expect.stringContaining('taken the place') }),
    );
    expect((await as('boss', 'GET', '/pipelines/a')).body).toMatchObject({ definitionSource: 'file', fileDiffers: false });
  });

  it('in the middle of others, or of the end, is harmless', async () => {
    const before = server.records('reloaded').length;
    for (let i = 0; i < 5; i++) server.signal('SIGHUP');
    await server.logged('reloaded', (record) => server.records('reloaded').indexOf(record) >= before);
    expect((await as('boss', 'GET', '/pipelines')).status).toBe(200);
    server.signal('SIGTERM');
    server.signal('SIGHUP');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(server.log.at(-1)).toMatchObject({ msg: 'shutdown report' });
    expect(server.records('audit').at(-1)).toMatchObject({ change: 'shutdown', by: 'SIGTERM', after: { mode: 'graceful' } });
  });
});
