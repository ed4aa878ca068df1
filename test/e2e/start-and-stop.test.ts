import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Duplex } from '../http/duplex.ts';
import { folderWith } from '../loader/folder.ts';
import { createGate } from './gate.ts';
import { withGate } from './one-pipeline.ts';
import { startInVain } from './server.ts';
import { toLines, Upload } from './upload.ts';

const TIMEOUT = { timeout: 60_000 };

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
    expect(second.message).toMatch(/pipelines\/a\.yaml:3: \/stages\/0\/tasks\/0 .*nowhere/);
    expect(second.message).toMatch(/pipelines\/a\.yaml:4: \/stages\/1\/name .*earlier stage/);
    expect(second.message).toMatch(/pipelines\/a\.yaml:4: \/stages\/1\/taskConcurrencyLimits\/other/);
    expect(second.message).toMatch(/pipelines\/b\.yaml:3: \/stages\/0\/tasks\/0\/with\/expression/);
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
