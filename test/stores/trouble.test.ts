/** A store that cannot be written for a while: the file is locked by another program, or the disk reports errors. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { createLocalHost, createTaskRegistry } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { named, until } from '../conformance/world.ts';
import { createGate as createPassingGate, GATE_TASK } from '../e2e/gate.ts';
import { ServerProcess, startServer } from '../e2e/server.ts';
import { collectingLogger, createGate, type LogLine } from '../engine/harness.ts';
import { folderWith } from '../loader/folder.ts';
import { FailingStore } from './failing-store.ts';

async function failingHost() {
  const gate = createGate();
  const lines: LogLine[] = [];
  const disk = new FailingStore();
  const store = disk.of(await openSqliteStore({ file: join(folderWith(), 'sluice.db'), inProcess: true }));
  const registry = createTaskRegistry([
    { kind: 'task', name: 'gated', description: '', paramsSchema: null, parseParams: (given) => given, run: gate.task },
  ]);
  const host = createLocalHost({
    registry,
    store,
    ports: { ...systemPorts, logger: collectingLogger(lines) },
    maxStages: 64,
    maxWorkersPerStage: 100,
    retentionMaxItems: 1000,
    retentionMaxAgeSeconds: 3600,
    backlogCapacity: 1000,
    eventsKept: 1000,
    hookTimeoutSeconds: 30,
  });
  await host.create({
    id: 'p',
    stages: [
      { name: 'A', tasks: ['gated'] },
      { name: 'B', tasks: ['gated'] },
    ],
  });
  return { host, disk, gate, lines, p: host.get('p') };
}

describe('while the store cannot be written', () => {
  it('what is fed is refused, what runs goes on to the end of its stage, nothing else begins, and looking still works', async () => {
    const { host, disk, gate, lines, p } = await failingHost();
    await p.feed(named('a', 'b'), {});
    disk.fault = 'the disk reports an error';
    // The first to find out is told so, too: it may be accepted, and is not on disk.
    await expect(p.feed(named('c'), {})).rejects.toMatchObject({
      code: 'store-unavailable',
      retryAfterSeconds: 5,
      details: { accepted: 1 },
    });
    await expect(p.feed(named('d'), {})).rejects.toMatchObject({ code: 'store-unavailable', details: { accepted: 0 } });
    await expect(p.run(named('d'), {})).rejects.toMatchObject({ code: 'store-unavailable' });
    const writer = p.openFeed({});
    await expect(writer).rejects.toMatchObject({ code: 'store-unavailable' });
    expect(host.storeHealth).toMatchObject({ kind: 'sqlite', trouble: 'the disk reports an error' });
    expect(gate.inside).toEqual(['a']);
    gate.open('a');
    while (p.core.inProgress > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(gate.inside).toEqual([]);
    // In memory it has moved on, and "c" was accepted; neither is on disk, and nobody is told of either.
    expect(p.core.ledger).toMatchObject({ fed: 3, inFlight: 3 });
    expect(p.core.stages.map((stage) => stage.waiting)).toEqual([2, 1]);
    expect(await p.stats()).toMatchObject({ itemsFed: 2, itemsInFlight: 2, queueSizes: { A: 1, B: 0 } });
    expect(await p.item('a')).toMatchObject({ status: 'in_progress', stage: 'A', worker: 'A-W0' });
    for (const id of ['c', 'd']) expect(await p.item(id).catch((error: { code: string }) => error.code)).toBe('item-not-found');
    // Readers are shown no event that is not kept, and no answer names one.
    expect(p.events.newest).toBeLessThan(p.core.events.last);
    expect((await p.stats()).asOf).toBe(p.events.lines.idOf(p.events.newest));

    disk.fault = null;
    await until(p, () => gate.inside.length === 2);
    expect(host.storeHealth.trouble).toBeNull();
    await until(p, async () => {
      gate.open();
      return (await p.stats()).itemsProcessed === 3;
    });
    expect(lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      'the store is not writable; feeding is refused until it is',
    ]);
    expect(lines.map(({ message }) => message)).toContain('the store is writable again');
    await host.shutdown('graceful', 5);
    await host.close();
  });

  it('a shutdown says what could not be kept', async () => {
    const { host, disk, p } = await failingHost();
    await p.feed(named('a', 'b'), {});
    disk.fault = 'the disk is full';
    expect(await host.shutdown('force', 5)).toMatchObject({ leftQueued: 2, notKept: 2 });
    disk.fault = null;
    await host.close();
  });
});

describe('a file that another program has locked', () => {
  it('makes feeds a 503 and the service not ready, and all goes on when it lets go', { timeout: 30_000 }, async () => {
    const file = join(folderWith(), 'sluice.db');
    const server = await startServer({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
    await server.post('/pipelines', { id: 'p', stages: [{ name: 'A', tasks: ['hash'] }] });
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    const refused = await server.post('/pipelines/p/feed', { items: [{ id: 'x', value: 1 }] });
    expect(refused).toMatchObject({
      status: 503,
      body: { code: 'store-unavailable', detail: expect.stringContaining('another program has locked the file') },
    });
    expect((await server.get('/readyz')).status).toBe(503);
    other.exec('ROLLBACK');
    other.close();
    await server.logged('the store is writable again');
    expect((await server.get('/readyz')).status).toBe(200);
    expect((await server.post('/pipelines/p/feed', { items: [{ id: 'x', value: 1 }] })).body).toMatchObject({ accepted: 0, duplicates: 1 });
    await server.post('/pipelines/p/join', {});
    expect((await server.get('/pipelines/p/items/x')).body).toMatchObject({ status: 'completed' });
    server.signal('SIGTERM');
    expect((await server.exited).code).toBe(0);
  });
});

describe('a start on a file that another program has locked', () => {
  it('waits, says why, and goes on when it lets go', { timeout: 60_000 }, async () => {
    const file = join(folderWith(), 'sluice.db');
    const env = { STORE_URL: `file:${file}`, PIPELINES: folderWith() };
    await (await startServer(env)).stop();
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    const server = new ServerProcess(env, {});
    await server.logged('the store cannot be opened; the start waits until it can');
    await server.logged('listening');
    expect((await server.get('/livez')).status).toBe(200);
    expect(await server.get('/readyz')).toMatchObject({
      status: 503,
      body: { code: 'store-unavailable', detail: 'the store is not writable: another program has locked the file' },
    });
    other.exec('ROLLBACK');
    other.close();
    await server.logged('ready');
    server.signal('SIGTERM');
    expect((await server.exited).code).toBe(0);
  });
});

describe('what ends while the file is locked', () => {
  it('is shown to nobody, and runs again after kill -9', { timeout: 60_000 }, async () => {
    const file = join(folderWith(), 'sluice.db');
    const env = { STORE_URL: `file:${file}`, PIPELINES: folderWith(), TASKS_DIR: folderWith({ 'gate.mjs': GATE_TASK }) };
    const server = await startServer(env);
    await server.post('/pipelines', { id: 'p', stages: [{ name: 'A', tasks: ['gate'] }] });
    const passing = await createPassingGate();
    const { feedId } = (await server.post('/pipelines/p/feed', { items: [{ id: 'x', value: { gate: passing.url } }] })).body;
    await passing.arrived(1);
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    passing.open();
    await server.logged('the store is not writable; feeding is refused until it is');
    expect((await server.get('/pipelines/p/items/x')).body).toMatchObject({ error: null });
    expect((await server.get('/pipelines/p/items/x')).body.status).not.toBe('completed');
    expect((await server.get('/pipelines/p/results')).body.results).toEqual([]);
    const { asOf, ...stats } = (await server.get('/pipelines/p/stats')).body;
    expect(stats).toMatchObject({ itemsFed: 1, itemsProcessed: 0, itemsInFlight: 1 });
    expect((await server.get('/pipelines/p')).body).toMatchObject({ itemsProcessed: 0, itemsInFlight: 1 });
    const wait = { itemIds: ['x'], timeoutSeconds: 0.1 };
    expect((await server.post('/pipelines/p/wait', wait)).body).toEqual({ done: [], pending: ['x'] });
    expect((await server.get(`/pipelines/p/feeds/${feedId}`)).body).toMatchObject({ done: false, completed: 0 });
    expect((await server.post('/pipelines/p/pause', {})).body).toMatchObject({ code: 'store-unavailable' });
    server.signal('SIGKILL');
    await server.exited;
    other.exec('ROLLBACK');
    other.close();

    const next = await startServer(env);
    const [epoch, seq] = [asOf.slice(0, asOf.lastIndexOf('-')), Number(asOf.slice(asOf.lastIndexOf('-') + 1))];
    const after = (await next.get('/pipelines/p/stats')).body.asOf;
    expect(after.slice(0, after.lastIndexOf('-'))).toBe(epoch);
    expect(Number(after.slice(after.lastIndexOf('-') + 1))).toBeGreaterThan(seq);
    await next.post('/pipelines/p/wait', { itemIds: ['x'] });
    const { history } = (await next.get('/pipelines/p/items/x')).body;
    expect(history.map(({ status }: { status: string }) => status)).toEqual([
      'queued',
      'in_progress',
      'queued',
      'in_progress',
      'completed',
    ]);
    next.signal('SIGTERM');
    expect((await next.exited).code).toBe(0);
  });
});
