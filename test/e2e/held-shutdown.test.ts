import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { folderWith, type WhenFinished } from '../loader/folder.ts';
import { type Exit, type LogRecord, type ServerProcess, startServer } from './server.ts';

const TIMEOUT = { timeout: 60_000 };
const LIMIT_SECONDS = 0.5;
/** What a shutdown may take beyond its limit, as the documentation says. */
const GRACE_SECONDS = 10;
/** What a machine with other work to do may add; a process that knew no limit of its own would take 40 s or for ever. */
const BUSY_SECONDS = 20;

const HELD = `
import { execSync } from 'node:child_process';
import { readFileSync, promises, writeSync } from 'node:fs';
const ways = {
  loop() { for (;;); },
  file(value) { readFileSync(value.fifo); },
  command() { execSync('sleep 600'); },
  'open file'(value) { promises.readFile(value.fifo).catch(() => {}); return new Promise(() => {}); },
  'a while'() { const end = performance.now() + 700; while (performance.now() < end); },
  big() { return 'x'.repeat(8e6); },
  'a slow exit'() { process.on('exit', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000)); },
};
const run = (value, ctx) => { ctx.logger.info({ item: ctx.itemId }, 'begun'); return ways[value.how]?.(value); };
export default { run };
`;
/** In a thread a log line is a message, which is out before the thread is held. */
const IN_THREAD = `import held from './held.mjs'; export default { thread: true, run: held.run };`;

async function start(whenFinished: WhenFinished, env: Record<string, string> = {}): Promise<{ server: ServerProcess; cwd: string }> {
  const stage = (name: string, task: string) => ({ name, tasks: [task], workers: 4 });
  const files = {
    'tasks/held.mjs': HELD,
    'tasks/in_thread.mjs': IN_THREAD,
    'pipelines/p.json': JSON.stringify({ id: 'p', collectResults: true, stages: [stage('Loop', 'held')] }),
    'pipelines/t.json': JSON.stringify({ id: 't', stages: [stage('Thread', 'in_thread')] }),
  };
  const cwd = folderWith(files, whenFinished);
  execFileSync('mkfifo', [join(cwd, 'fifo')]);
  const limits = { SHUTDOWN_TIMEOUT_SECONDS: String(LIMIT_SECONDS), LOOP_STALL_SECONDS: '0', STORE_URL: 'file:./sluice.db' };
  return { server: await startServer({ TASKS_DIR: './tasks', ...limits, ...env }, { cwd }), cwd };
}

async function begin({ server, cwd }: { server: ServerProcess; cwd: string }, pipeline: string, how: string): Promise<void> {
  server.post(`/pipelines/${pipeline}/feed`, { items: [{ id: 'x', how, fifo: join(cwd, 'fifo') }] }).catch(() => undefined);
  await server.logged('begun');
}

/** Waits for the end, which MUST come in time, with a report; nothing but a report may be the last line. */
async function endsInTime(server: ServerProcess, exit: Exit): Promise<LogRecord> {
  const began = performance.now();
  expect(await server.exited, JSON.stringify(server.log.slice(-4))).toEqual(exit);
  expect((performance.now() - began) / 1000).toBeLessThan(LIMIT_SECONDS + GRACE_SECONDS + BUSY_SECONDS);
  expect(server.noise).toEqual([]);
  expect(server.stderr).toBe('');
  const last = server.log.at(-1) as LogRecord;
  expect(last.msg).toBe('shutdown report');
  expect(server.records('shutdown report')).toHaveLength(1);
  return last;
}

async function socketTo(server: ServerProcess, text: string, whenFinished: WhenFinished): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  whenFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

const KILLED: Exit = { code: null, signal: 'SIGKILL' };
const WELL: Exit = { code: 0, signal: null };

// Each waits for the end of a process of its own: they wait together.
describe.concurrent('SIGTERM', () => {
  it.for(['loop', 'file', 'command'])(
    'ends the process in its time while the event loop is held by a %s, and the report names what held it',
    TIMEOUT,
    async (how, { onTestFinished }) => {
      const started = await start(onTestFinished);
      await begin(started, 'p', how);
      started.server.signal('SIGTERM');
      const report = await endsInTime(started.server, KILLED);
      expect(report).toMatchObject({
        level: 60,
        timedOut: true,
        finished: null,
        heldBy: { pipeline: 'p', stage: 'Loop', task: 'held', item: 'x' },
      });
    },
  );

  it('is heard when the loop goes on, if that is soon enough', TIMEOUT, async ({ onTestFinished }) => {
    const started = await start(onTestFinished, { SHUTDOWN_TIMEOUT_SECONDS: '20' });
    await begin(started, 'p', 'a while');
    started.server.signal('SIGTERM');
    expect(await endsInTime(started.server, WELL)).toMatchObject({ mode: 'graceful', leftQueued: 0, timedOut: false });
  });

  it('ends the process with its code when the exit takes a while after the report', TIMEOUT, async ({ onTestFinished }) => {
    const started = await start(onTestFinished);
    await begin(started, 'p', 'a slow exit');
    started.server.signal('SIGTERM');
    expect(await endsInTime(started.server, WELL)).toMatchObject({ leftQueued: 0, timedOut: false });
  });

  it('ends the process in its time while a thread spins; its item is kept', TIMEOUT, async ({ onTestFinished }) => {
    const started = await start(onTestFinished);
    await begin(started, 't', 'loop');
    started.server.signal('SIGTERM');
    expect(await endsInTime(started.server, WELL)).toMatchObject({ timedOut: true, aborted: 1, leftQueued: 1, notKept: 0 });
  });

  it.for([
    ['a thread', 't', 'command'],
    ['a thread', 't', 'file'],
    ['the pool of Node', 'p', 'open file'],
  ])(
    'ends the process in its time while %s waits for the system (%s, %s)',
    TIMEOUT,
    async ([, pipeline = '', how = ''], { onTestFinished }) => {
      const started = await start(onTestFinished);
      await begin(started, pipeline, how);
      started.server.signal('SIGTERM');
      expect(await endsInTime(started.server, WELL)).toMatchObject({ timedOut: true, aborted: 1, leftQueued: 1, notKept: 0 });
    },
  );

  it('ends the process in its time while bodies of JSON and of NDJSON stall', TIMEOUT, async ({ onTestFinished }) => {
    const { server } = await start(onTestFinished);
    const head = 'POST /pipelines/p/feed HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: 100-continue\r\n';
    const sockets: Socket[] = [];
    for (const rest of [
      'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"items":[',
      'content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n5\r\n1\n2\n3\r\n',
    ]) {
      const socket = await socketTo(server, `${head}${rest}`, onTestFinished);
      // It is told to go on when its request is under way.
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 100 /);
      sockets.push(socket);
    }
    server.signal('SIGTERM');
    await endsInTime(server, WELL);
    for (const socket of sockets) socket.destroy();
  });

  it('ends the process in its time while nobody reads an event stream, a long reply, or rows', TIMEOUT, async ({ onTestFinished }) => {
    const { server } = await start(onTestFinished);
    await server.post('/pipelines/p/run', { items: [1, 2, 3].map((id) => ({ id: String(id), how: 'big' })) });
    const list = '/pipelines/p/results?limit=100';
    for (const [path, accept] of [
      ['/pipelines/p/events', 'text/event-stream'],
      [list, 'application/json'],
      [list, 'application/x-ndjson'],
    ]) {
      const socket = await socketTo(server, `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: ${accept}\r\n\r\n`, onTestFinished);
      // Its beginning has come, and is left lying.
      await once(socket, 'readable');
    }
    server.signal('SIGTERM');
    await endsInTime(server, WELL);
  });

  it('ends the process in its time while the store hangs, and names what it does not have', TIMEOUT, async ({ onTestFinished }) => {
    const { server, cwd } = await start(onTestFinished);
    const other = new Database(join(cwd, 'sluice.db'));
    onTestFinished(() => void other.close());
    other.exec('BEGIN IMMEDIATE');
    // Nobody answers before it is stored, which it will not be.
    server.post('/pipelines/p/feed', { items: [{ id: 'lost', how: 'nothing' }] }).catch(() => undefined);
    await server.logged('begun');
    server.signal('SIGTERM');
    expect(await endsInTime(server, { code: 1, signal: null })).toMatchObject({ level: 50, notKept: 1, notKeptIds: ['lost'] });
  });

  it('twice ends it at once, also while the loop is held', TIMEOUT, async ({ onTestFinished }) => {
    const started = await start(onTestFinished, { SHUTDOWN_TIMEOUT_SECONDS: '3600' });
    await begin(started, 'p', 'command');
    started.server.signal('SIGTERM');
    // Two that follow each other faster than they are handled are one to the system: it is repeated until it counts.
    const again = setInterval(() => started.server.signal('SIGTERM'), 200);
    onTestFinished(() => clearInterval(again));
    await endsInTime(started.server, KILLED);
  });
});
