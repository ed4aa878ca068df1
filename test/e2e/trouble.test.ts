import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PipelineStats } from '../../src/schemas/stats.ts';
import { Duplex } from '../http/duplex.ts';
import { folderWith } from '../loader/folder.ts';
import { createGate, GATE_TASK } from './gate.ts';
import { type ServerProcess, startInVain, startServer } from './server.ts';
import { toLines, Upload } from './upload.ts';

const TIMEOUT = { timeout: 60_000 };

/** A stage that makes of each item a constant, and one whose items stand before a gate. */
const PASS = { task: 'jsonata', with: { expression: '"ok"' } };

interface Setting {
  stage?: Record<string, unknown>;
  pipeline?: Record<string, unknown>;
  tasks?: Record<string, string>;
  env?: Record<string, string>;
}

/** A server in an empty folder, with one pipeline `p` of one stage `S`, and these task files. */
async function serverWith({ stage = {}, pipeline = {}, tasks = {}, env = {} }: Setting = {}): Promise<ServerProcess> {
  const definition = { id: 'p', stages: [{ name: 'S', tasks: [PASS], ...stage }], ...pipeline };
  const files = Object.fromEntries(Object.entries(tasks).map(([name, text]) => [`tasks/${name}`, text]));
  const cwd = folderWith({ 'pipelines/p.json': JSON.stringify(definition), ...files });
  return startServer({ ...(Object.keys(tasks).length > 0 ? { TASKS_DIR: './tasks' } : {}), ...env }, { cwd });
}

const withGate = (settings: Setting = {}): Promise<ServerProcess> =>
  serverWith({ ...settings, stage: { tasks: ['gate'], workers: 2, ...settings.stage }, tasks: { 'gate.mjs': GATE_TASK } });

async function statsOf(server: ServerProcess): Promise<PipelineStats> {
  return (await server.get('/pipelines/p/stats')).body;
}

/** Asserts that these many items were accepted and all of them completed. */
async function expectCompleted(server: ServerProcess, count: number): Promise<void> {
  const stats = await statsOf(server);
  expect(stats).toMatchObject({ itemsFed: count, itemsProcessed: count, itemsFailed: 0, itemsCancelled: 0, itemsInFlight: 0 });
}

/** A reader that counts how often items came to a status. */
async function counting(server: ServerProcess, status: string): Promise<{ reached(count: number): Promise<void>; readonly count: number }> {
  const stream = await server.events(`/pipelines/p/events?types=status&status=${status}`);
  return {
    get count() {
      return stream.events.length;
    },
    reached: (count) => stream.until(() => stream.events.length >= count),
  };
}

describe('starting with something wrong', () => {
  it('says that the port is in use, and what to do', TIMEOUT, async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const { code, message } = await startInVain({ PORT: String(port) }, { cwd: folderWith() });
    expect(code).toBe(78);
    expect(message).toBe(
      `Sluice cannot listen on 127.0.0.1:${port}: the port is in use. Set PORT to another one, or to 0 for any that is free.\n`,
    );
  });

  it('lists every fault of the configuration at once', TIMEOUT, async () => {
    const env = { PORT: '70000', LOG_LEVEL: 'loud', STORE_URL: 'redis://user:secret@host', HOST: 'http://x', API_KEYS: 'a:read:00' };
    const { code, message, log } = await startInVain(env, { cwd: folderWith() });
    expect(code).toBe(78);
    for (const name of Object.keys(env)) expect(message).toMatch(new RegExp(`^ {2}- ${name}\\b`, 'm'));
    expect(message).not.toContain('secret');
    expect(message).not.toMatch(/^\s+at /m);
    expect(log).toEqual([]);
  });

  it('names a task file with a syntax error, and its line', TIMEOUT, async () => {
    const cwd = folderWith({
      'tasks/good.mjs': 'export default { run: (value) => value };',
      'tasks/bad.mjs': 'export default {\n  run: (value) => value,\n  oops oops\n};',
    });
    const { code, message } = await startInVain({ TASKS_DIR: './tasks' }, { cwd });
    expect(code).toBe(78);
    expect(message).toMatch(/tasks\/bad\.mjs: .*SyntaxError.*line 3/);
    expect(message).not.toContain('good.mjs');
  });

  it('names all faults of a definition, of its form and of its meaning', TIMEOUT, async () => {
    const form = folderWith({
      'pipelines/a.yaml': 'id: a\nstages:\n  - name: S\n    workers: 0\n    tasks: []\n    colour: red\n',
    });
    const first = await startInVain({}, { cwd: form });
    expect(first.code).toBe(78);
    expect(first.message).toContain('pipelines/a.yaml:4: /stages/0/workers');
    expect(first.message).toContain('pipelines/a.yaml:5: /stages/0/tasks');
    expect(first.message).toContain('/stages/0/colour');

    const meaning = folderWith({
      'pipelines/a.yaml':
        'id: a\nstages:\n  - { name: S, tasks: [nowhere] }\n  - { name: S, tasks: [hash], taskConcurrencyLimits: { other: 1 } }\n',
      'pipelines/b.yaml': 'id: b\nstages:\n  - { name: S, tasks: [{ task: jsonata, with: { expression: "((" } }] }\n',
    });
    const second = await startInVain({}, { cwd: meaning });
    expect(second.code).toBe(78);
    expect(second.message).toMatch(/pipelines\/a\.yaml:1: \/stages\/0\/tasks\/0 .*nowhere/);
    expect(second.message).toMatch(/pipelines\/a\.yaml:1: \/stages\/1\/name .*earlier stage/);
    expect(second.message).toMatch(/pipelines\/a\.yaml:1: \/stages\/1\/taskConcurrencyLimits\/other/);
    expect(second.message).toMatch(/pipelines\/b\.yaml:1: \/stages\/0\/tasks\/0\/with\/expression/);
  });
});

describe('stopping', () => {
  it('at SIGTERM finishes what runs, and reports what it leaves', TIMEOUT, async () => {
    const gate = await createGate();
    const server = await withGate();
    const items = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, value: { gate: gate.url } }));
    await server.post('/pipelines/p/feed', { items });
    await gate.arrived(2);
    server.signal('SIGTERM');
    await server.logged('shutting down', ({ mode, reason }) => mode === 'graceful' && reason === 'SIGTERM');
    gate.open();
    expect(await server.endedWell()).toMatchObject({
      mode: 'graceful',
      finished: 2,
      leftQueued: 3,
      aborted: 0,
      notKept: 3,
      notKeptIds: ['c', 'd', 'e'],
      timedOut: false,
    });
  });

  it('at SIGTERM cuts an upload off, and the report counts all that it brought', TIMEOUT, async () => {
    const gate = await createGate();
    const server = await withGate();
    const upload = new Upload(`${server.url}/pipelines/p/feed`);
    const line = (id: string): string => `${JSON.stringify({ id, value: { gate: gate.url } })}\n`;
    await upload.write(line('a') + line('b') + line('c'));
    await gate.arrived(2);
    server.signal('SIGTERM');
    await server.logged('shutting down');
    await upload.write(line('d'));
    const { status, body } = await upload.end();
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'shutting-down', accepted: 3 });
    gate.open();
    expect(await server.endedWell()).toMatchObject({ finished: 2, leftQueued: 1, notKeptIds: ['c'] });
  });

  it('at SIGTERM aborts what runs when the time is up', TIMEOUT, async () => {
    const gate = await createGate();
    const server = await withGate({ env: { SHUTDOWN_TIMEOUT_SECONDS: '0.05' } });
    await server.post('/pipelines/p/feed', { items: [{ id: 'a', value: { gate: gate.url } }] });
    await gate.arrived(1);
    expect(await server.stop()).toMatchObject({ mode: 'force', finished: 0, leftQueued: 1, aborted: 1, notKeptIds: ['a'], timedOut: true });
  });

  it('at a second SIGTERM aborts what runs at once', TIMEOUT, async () => {
    const gate = await createGate();
    const server = await withGate();
    await server.post('/pipelines/p/feed', { items: ['a', 'b', 'c'].map((id) => ({ id, value: { gate: gate.url } })) });
    await gate.arrived(2);
    server.signal('SIGTERM');
    await server.logged('shutting down', ({ mode }) => mode === 'graceful');
    // One that follows at once is taken for an echo of the first: it is repeated, a request apart, until it counts.
    const isForced = (): boolean => server.records('shutting down').some(({ mode }) => mode === 'force');
    while (!isForced()) {
      server.signal('SIGTERM');
      await server.get('/livez').catch(() => undefined);
    }
    expect(await server.endedWell()).toMatchObject({ mode: 'force', finished: 0, leftQueued: 3, aborted: 2, timedOut: false });
    expect(server.records('shutting down')[0]).toMatchObject({ mode: 'graceful' });
  });

  it('at POST /shutdown answers first, takes no more work, tells its readers, and ends', TIMEOUT, async () => {
    const gate = await createGate();
    const server = await withGate();
    const stream = await server.events('/pipelines/p/events');
    await server.post('/pipelines/p/feed', { items: [{ id: 'a', value: { gate: gate.url } }] });
    await gate.arrived(1);

    const { status, body } = await server.post('/shutdown', { mode: 'drain' });
    expect(status).toBe(202);
    expect(body).toEqual({ mode: 'drain', timeoutSeconds: 30, pipelines: 1, itemsInFlight: 1 });
    const ready = await server.get('/readyz');
    expect(ready).toMatchObject({ status: 503, body: { code: 'shutting-down' } });
    expect(Number(ready.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await server.get('/livez')).toMatchObject({ status: 200 });
    expect(await server.post('/pipelines/p/feed', { items: [1] })).toMatchObject({ status: 503, body: { code: 'shutting-down' } });

    gate.open();
    expect(await server.endedWell()).toMatchObject({ mode: 'drain', finished: 1, leftQueued: 0, aborted: 0 });
    expect(stream.events.at(-1)).toEqual({ event: 'bye', data: '{}', id: undefined });
    expect(stream.ended).toBe(true);
    expect(stream.named('status').at(-1)).toMatchObject({ itemId: 'a', status: 'completed', final: true });
  });
});

describe('answers that are still being sent when the service stops', () => {
  it('end with what has ended and a last line that says why, and hold up nothing', TIMEOUT, async () => {
    const gate = await createGate();
    const server = await withGate();
    const run = new Duplex(`${server.url}/pipelines/p/run?feedId=f`, {
      headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
    });
    // Its body is never finished: it is the service that ends it.
    run.send(toLines(['a', 'b', 'c'].map((id) => ({ id, value: { gate: gate.url } }))));
    await gate.arrived(2);
    const follow = new Duplex(`${server.url}/pipelines/p/feeds/f/results?follow=true`, { method: 'GET' });
    follow.finish();
    await follow.response;
    const wait = new Duplex(`${server.url}/pipelines/p/feeds/f/wait`, { headers: { expect: '100-continue', 'content-length': 0 } });
    wait.finish();
    await wait.underWay;
    server.signal('SIGTERM');
    await server.logged('shutting down');
    gate.open();
    await Promise.all([run.whole(), follow.whole()]);
    expect(run.lines.map(({ id, problem }) => id ?? problem.code).toSorted()).toEqual(['a', 'b', 'shutting-down']);
    expect(follow.lines.map(({ id, problem }) => id ?? problem.code)).toEqual(['a', 'b', 'shutting-down']);
    expect((await wait.whole()).statusCode).toBe(503);
    expect(JSON.parse(wait.text)).toMatchObject({ code: 'shutting-down' });
    expect(await server.endedWell()).toMatchObject({ mode: 'graceful', finished: 2, leftQueued: 1, timedOut: false });
  });
});

describe('a client that hangs up', () => {
  it('in the middle of an upload leaves what was accepted, and it is processed', TIMEOUT, async () => {
    const server = await serverWith();
    await server.post('/pipelines/p/pause');
    const queued = await counting(server, 'queued');
    const completed = await counting(server, 'completed');
    const upload = new Upload(`${server.url}/pipelines/p/feed`);
    await upload.write(`${toLines([{ id: 'a' }, { id: 'b' }, { id: 'c' }])}{"id": "d"`);
    await queued.reached(3);
    upload.hangUp();
    await server.post('/pipelines/p/resume');
    await completed.reached(3);
    await expectCompleted(server, 3);
    await server.stop();
  });

  it('while run waits does not cancel the items', TIMEOUT, async () => {
    const gate = await createGate();
    const server = await withGate();
    const completed = await counting(server, 'completed');
    const run = new Upload(`${server.url}/pipelines/p/run`, 'application/json');
    void run.write(JSON.stringify({ items: [1, 2, 3].map(() => ({ gate: gate.url })) }));
    const noAnswer = run.end().catch((error: Error) => error.message);
    await gate.arrived(2);
    run.hangUp();
    expect(await noAnswer).toBe('the connection closed without an answer');
    gate.open();
    await completed.reached(3);
    await expectCompleted(server, 3);
    await server.stop();
  });

  it('while it reads events is not missed', TIMEOUT, async () => {
    const server = await serverWith();
    const gone = await server.events('/pipelines/p/events');
    const reader = await server.events('/pipelines/p/events?types=result');
    await server.post('/pipelines/p/feed', { items: [{ id: 'a' }] });
    await gone.until(() => gone.events.length > 0);
    gone.destroy();
    await server.post('/pipelines/p/feed', { items: [{ id: 'b' }] });
    await reader.until(() => reader.named('result').length === 2);
    await expectCompleted(server, 2);
    await server.stop();
  });
});

describe('bodies that are wrong', () => {
  it('a line that breaks a long upload is named, and what stood before it is processed', TIMEOUT, async () => {
    const server = await serverWith({ stage: { workers: 8 }, pipeline: { collectResults: false } });
    const completed = await counting(server, 'completed');
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
    await expectCompleted(server, before);
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
    const queued = await counting(server, 'queued');
    const completed = await counting(server, 'completed');
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
    expect(await statsOf(server)).toMatchObject({ itemsFed: backlogCapacity, itemsInFlight: backlogCapacity });
    expect(residentBytes(server) - before).toBeLessThan(32 * 1024 * 1024);

    await server.post('/pipelines/p/resume');
    expect(await sent).toMatchObject({ status: 202, body: { accepted: lines, duplicates: 0 } });
    await completed.reached(lines);
    await expectCompleted(server, lines);
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
    expect(await statsOf(server)).toMatchObject({ itemsProcessed: 1, itemsFailed: 7, itemsInFlight: 0, handlersIgnoringSignal: 1 });
    // The promise that was left behind is told of, and nothing else happens.
    expect(await server.logged('a promise was rejected and nobody waited for it')).toMatchObject({ err: { message: 'left behind' } });
    server.signal('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(server.log.at(-1)).toMatchObject({ msg: 'shutdown report', leftQueued: 0, aborted: 0 });
  });
});
