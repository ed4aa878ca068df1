/** A store that cannot be written for a while: the file is locked by another program, or the disk reports errors. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { createLocalHost, createTaskRegistry } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { type Store, StoreTrouble, type Writes } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { named, until } from '../conformance/world.ts';
import { startServer } from '../e2e/server.ts';
import { collectingLogger, createGate, type LogLine } from '../engine/harness.ts';
import { folderWith } from '../loader/folder.ts';

/** A store whose disk fails as long as `fault` says so. */
class FailingStore {
  fault: string | null = null;
  /** Whole transactions that reached the file. */
  writes = 0;
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  asStore(): Store {
    return new Proxy(this.store, {
      get: (store, name) => {
        if (name === 'write') return (writes: Writes) => this.write(writes);
        const value = Reflect.get(store, name);
        return typeof value === 'function' ? value.bind(store) : value;
      },
    });
  }

  private async write(writes: Writes): Promise<void> {
    if (this.fault !== null) throw new StoreTrouble(this.fault);
    this.writes++;
    return this.store.write(writes);
  }
}

async function failingHost() {
  const gate = createGate();
  const lines: LogLine[] = [];
  const disk = new FailingStore(await openSqliteStore({ file: join(folderWith(), 'sluice.db'), inProcess: true }));
  const registry = createTaskRegistry([
    { kind: 'task', name: 'gated', description: '', paramsSchema: null, parseParams: (given) => given, run: gate.task },
  ]);
  const host = createLocalHost({
    registry,
    store: disk.asStore(),
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
    expect(gate.held).toEqual(['a']);
    gate.open('a');
    while ((await p.item('a')).stage === 'A') await new Promise((resolve) => setImmediate(resolve));
    expect(gate.held).toEqual([]);
    expect(await p.stats()).toMatchObject({ itemsFed: 3, itemsInFlight: 3, queueSizes: { A: 2, B: 1 } });
    expect(await p.item('d').catch((error: { code: string }) => error.code)).toBe('item-not-found');
    // Readers are shown no event that is not kept.
    expect(p.events.newest).toBeLessThan(Number((await p.stats()).asOf.split('-').at(-1)));

    disk.fault = null;
    await until(p, () => gate.held.length === 2);
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
