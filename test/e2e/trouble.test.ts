import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineStats } from '../../src/schemas/stats.ts';
import { folderWith } from '../loader/folder.ts';
import { createGate, GATE_TASK } from './gate.ts';
import { PASS, serverWith } from './one-pipeline.ts';
import { type ServerProcess, startServer } from './server.ts';
import { toLines, Upload } from './upload.ts';

const TIMEOUT = { timeout: 60_000 };

async function statsOf(server: ServerProcess, pipeline: string): Promise<PipelineStats> {
  return (await server.get(`/pipelines/${pipeline}/stats`)).body;
}

/** Asserts that these many items were accepted and all of them completed. */
async function expectCompleted(server: ServerProcess, pipeline: string, count: number): Promise<void> {
  const stats = await statsOf(server, pipeline);
  expect(stats).toMatchObject({ itemsFed: count, itemsProcessed: count, itemsFailed: 0, itemsCancelled: 0, itemsInFlight: 0 });
}

/** A reader that counts how often items came to a status. */
async function counting(
  server: ServerProcess,
  pipeline: string,
  status: string,
): Promise<{ reached(count: number): Promise<void>; readonly count: number }> {
  const stream = await server.events(`/pipelines/${pipeline}/events?types=status&status=${status}`);
  return {
    get count() {
      return stream.events.length;
    },
    reached: (count) => stream.until(() => stream.events.length >= count),
  };
}

describe('a client that hangs up', () => {
  const definition = (id: string, task: unknown): string => JSON.stringify({ id, stages: [{ name: 'S', tasks: [task], workers: 2 }] });
  let server: ServerProcess;
  let removeFolder: () => void;
  beforeAll(async () => {
    const files = {
      'pipelines/upload.json': definition('upload', PASS),
      'pipelines/run.json': definition('run', 'gate'),
      'pipelines/read.json': definition('read', PASS),
      'tasks/gate.mjs': GATE_TASK,
    };
    const cwd = folderWith(files, (remove) => {
      removeFolder = remove;
    });
    server = await startServer({ TASKS_DIR: './tasks' }, { cwd });
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    removeFolder();
  });

  it('in the middle of an upload leaves what was accepted, and it is processed', TIMEOUT, async () => {
    await server.post('/pipelines/upload/pause');
    const queued = await counting(server, 'upload', 'queued');
    const completed = await counting(server, 'upload', 'completed');
    const upload = new Upload(`${server.url}/pipelines/upload/feed`);
    await upload.write(`${toLines([{ id: 'a' }, { id: 'b' }, { id: 'c' }])}{"id": "d"`);
    await queued.reached(3);
    upload.hangUp();
    await server.post('/pipelines/upload/resume');
    await completed.reached(3);
    await expectCompleted(server, 'upload', 3);
  });

  it('while run waits does not cancel the items', TIMEOUT, async () => {
    const gate = await createGate();
    const completed = await counting(server, 'run', 'completed');
    const run = new Upload(`${server.url}/pipelines/run/run`, 'application/json');
    void run.write(JSON.stringify({ items: [1, 2, 3].map(() => ({ gate: gate.url })) }));
    const noAnswer = run.end().catch((error: Error) => error.message);
    await gate.arrived(2);
    run.hangUp();
    expect(await noAnswer).toBe('the connection closed without an answer');
    gate.open();
    await completed.reached(3);
    await expectCompleted(server, 'run', 3);
  });

  it('while it reads events is not missed', TIMEOUT, async () => {
    const gone = await server.events('/pipelines/read/events');
    const reader = await server.events('/pipelines/read/events?types=result');
    await server.post('/pipelines/read/feed', { items: [{ id: 'a' }] });
    await gone.until(() => gone.events.length > 0);
    gone.destroy();
    await server.post('/pipelines/read/feed', { items: [{ id: 'b' }] });
    await reader.until(() => reader.named('result').length === 2);
    await expectCompleted(server, 'read', 2);
  });
});

describe('bodies that are wrong', () => {
  it('a line that breaks a long upload is named, and what stood before it is processed', TIMEOUT, async () => {
    const server = await serverWith({ stage: { workers: 8 }, pipeline: { collectResults: false } });
    const completed = await counting(server, 'p', 'completed');
    const pad = 'x'.repeat(200);
    const upload = new Upload(`${server.url}/pipelines/p/feed`);
    const before = 3000;
    await upload.write(toLines(Array.from({ length: before }, (_, i) => ({ id: `i${i}`, pad }))));
    await upload.write('{"id": oops}\n');
    // More than sockets buffer: the sender is still writing when the answer comes.
    const after = toLines(Array.from({ length: 1000 }, () => ({ pad })));
    for (let i = 0; i < 100; i++) await upload.write(after);
    const { status, headers, body } = await upload.answer;
    expect(status).toBe(400);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    // The rest of the body is not read, so the connection cannot be used again.
    expect(headers.connection).toBe('close');
    expect(body).toMatchObject({ code: 'malformed-line', line: before + 1, accepted: before, duplicates: 0 });
    expect(body.detail).toContain(`Line ${before + 1} `);
    await completed.reached(before);
    await expectCompleted(server, 'p', before);
    await server.stop();
  });

  it('a body or a line over the limit is a 413, and the server goes on', TIMEOUT, async () => {
    const server = await serverWith({ env: { BODY_LIMIT_BYTES: '10000' } });
    const long = { pad: 'x'.repeat(10_000) };
    expect(await server.post('/pipelines/p/feed', { items: [long] })).toMatchObject({ status: 413, body: { code: 'body-too-large' } });
    const upload = new Upload(`${server.url}/pipelines/p/feed`);
    await upload.write(toLines([{ id: 'a' }, long]));
    expect(await upload.end()).toMatchObject({ status: 400, body: { code: 'line-too-large', line: 2, accepted: 1 } });
    expect(await server.post('/pipelines/p/run', { items: [{ id: 'b' }] })).toMatchObject({ status: 200 });
    await server.stop();
  });

  it('a long upload to a pipeline that has no room stalls its sender, and memory stays bounded', { timeout: 120_000 }, async () => {
    const backlogCapacity = 10;
    const server = await serverWith({ pipeline: { backlogCapacity, collectResults: false } });
    await server.post('/pipelines/p/pause');
    const queued = await counting(server, 'p', 'queued');
    const completed = await counting(server, 'p', 'completed');
    const upload = new Upload(`${server.url}/pipelines/p/feed`);
    const line = toLines([{ pad: 'x'.repeat(64 * 1024) }]);
    const lines = 1000;
    const sent = (async () => {
      for (let i = 0; i < lines; i++) await upload.write(line);
      return upload.end();
    })();

    await queued.reached(backlogCapacity);
    const before = residentBytes(server);
    // A sender that stands still for many round trips of others is held, not slow.
    for (let taken = -1; taken !== upload.taken; ) {
      taken = upload.taken;
      for (let i = 0; i < 50; i++) await server.get('/livez');
    }
    expect(upload.taken).toBeLessThan((lines * line.length) / 2);
    expect(queued.count).toBe(backlogCapacity);
    expect(await statsOf(server, 'p')).toMatchObject({ itemsFed: backlogCapacity, itemsInFlight: backlogCapacity });
    expect(residentBytes(server) - before).toBeLessThan(32 * 1024 * 1024);

    await server.post('/pipelines/p/resume');
    expect(await sent).toMatchObject({ status: 202, body: { accepted: lines, duplicates: 0 } });
    await completed.reached(lines);
    await expectCompleted(server, 'p', lines);
    await server.stop();
  });
});

/** What the process holds in memory; 0 where the system doesn't tell. */
function residentBytes(server: ServerProcess): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(join('/proc', String(server.pid), 'status'), 'utf8'))?.[1]) * 1024;
}

describe('tasks that misbehave', () => {
  it('a loop without end in a thread is stopped by its timeout, and holds up nobody meanwhile', TIMEOUT, async () => {
    const server = await serverWith({
      stage: { tasks: ['spin'], taskAttempts: 2, taskWaitSeconds: 0 },
      tasks: {
        'spin.mjs': `export default {
          thread: true,
          timeoutSeconds: 1,
          run(value, ctx) {
            ctx.logger.info({ attempt: ctx.attempt }, 'spinning');
            while (value.loops) {}
            return 'out';
          },
        };`,
      },
    });
    // Those that do not loop have the time that a busy machine may need to start their thread.
    const stages = [{ name: 'S', tasks: ['spin'], taskTimeoutSeconds: 60 }];
    expect((await server.post('/pipelines', { id: 'patient', stages })).status).toBe(201);
    const run = server.post('/pipelines/p/run', { items: [{ loops: true }] });
    const other = server.post('/pipelines/patient/run', { items: [{ loops: false }] });
    const events = await server.events('/pipelines/p/events?types=task');
    // It spins until the timeout; the event loop answers meanwhile.
    expect(await server.get('/livez')).toMatchObject({ status: 200 });
    expect((await other).body.results).toMatchObject([{ value: 'out', error: null }]);
    expect((await run).body.results).toMatchObject([
      { value: null, error: { type: 'TaskTimeoutError', message: 'took longer than 1 s', stage: 'S', attempts: 2 } },
    ]);
    events.destroy();
    await server.stop();
  });

  it('what is no error, no JSON, or never ends fails its item with a name for it', TIMEOUT, async () => {
    const server = await serverWith({
      stage: { tasks: ['odd'], workers: 8, taskAttempts: 1, taskTimeoutSeconds: 0.2 },
      tasks: {
        'odd.mjs': `const ways = {
          text: () => { throw 'just text'; },
          nothing: () => { throw undefined; },
          object: () => { throw { reason: 'an object' }; },
          hostile: () => { throw { get message() { throw new Error('no'); } }; },
          bigint: () => 10n,
          cycle: (value) => { value.self = value; return value; },
          never: () => new Promise(() => {}),
          orphan: () => { Promise.reject(new Error('left behind')); return 'fine'; },
        };
        export default { run: (value) => ways[value.way](value) };`,
      },
    });
    const ways = ['text', 'nothing', 'object', 'hostile', 'bigint', 'cycle', 'never', 'orphan'];
    const { status, body } = await server.post('/pipelines/p/run', { items: ways.map((way) => ({ id: way, value: { way } })) });
    expect(status).toBe(200);
    const ends = Object.fromEntries(
      body.results.map(({ id, value, error }: { id: string; value: unknown; error: { type: string; message: string } | null }) => [
        id,
        error === null ? value : [error.type, error.message],
      ]),
    );
    expect(ends).toEqual({
      text: ['NonError', 'just text'],
      nothing: ['NonError', 'undefined'],
      object: ['NonError', '{"reason":"an object"}'],
      hostile: ['NonError', 'a value that cannot be displayed'],
      bigint: ['ValueNotJsonError', expect.stringContaining('bigint')],
      cycle: ['ValueNotJsonError', expect.stringContaining('refers to itself')],
      never: ['TaskTimeoutError', 'took longer than 0.2 s'],
      orphan: 'fine',
    });
    expect(await statsOf(server, 'p')).toMatchObject({ itemsProcessed: 1, itemsFailed: 7, itemsInFlight: 0, handlersIgnoringSignal: 1 });
    // The promise that was left behind is told of, and nothing else happens.
    expect(await server.logged('a promise was rejected and nobody waited for it')).toMatchObject({ err: { message: 'left behind' } });
    server.signal('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(server.log.at(-1)).toMatchObject({ msg: 'shutdown report', leftQueued: 0, aborted: 0 });
  });
});
