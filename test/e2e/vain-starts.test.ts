/** Starts that come to nothing: whatever ends them, they run no task, and count nothing against an item. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { folderWith, type WhenFinished } from '../loader/folder.ts';
import { createGate, GATE_TASK, type Gate } from './gate.ts';
import { at, type Moment } from './moments.ts';
import { type ServerProcess, startInVain, startServer } from './server.ts';

const TIMEOUT = { timeout: 300_000 };
/** With one crash counted, the next one would be the last. */
const ENV = { STORE_URL: 'file:./sluice.db', TASKS_DIR: './tasks', MAX_DELIVERIES: '2' };
const STARTS = 2;

interface Crashed {
  cwd: string;
  gate: Gate;
}

/** A folder whose service was killed while two of its four items ran, and another one waited for a retry. */
async function afterCrash(whenFinished: WhenFinished): Promise<Crashed> {
  const gate = await createGate(whenFinished);
  const definition = { id: 'p', stages: [{ name: 'S', workers: 2, tasks: ['gate'] }] };
  const cwd = folderWith({ 'pipelines/p.json': JSON.stringify(definition), 'tasks/gate.mjs': GATE_TASK }, whenFinished);
  const server = await startServer(ENV, { cwd });
  const stream = await server.events('/pipelines/p/events');
  await server.post('/pipelines/p/feed', { items: ['a', 'b', 'c', 'd'].map((id) => ({ id, value: { gate: gate.url } })) });
  await gate.arrived(2);
  // A task may stand at the gate before the event of its beginning is on disk; what a stream has shown, is.
  await stream.until(() => stream.events.filter(({ data }) => data.includes('"in_progress"')).length === 2);
  server.signal('SIGKILL');
  await server.exited;
  return { cwd, gate };
}

/** All items complete, those that ran in the crash in their second attempt, and the file has counted that one crash. */
async function expectGoodStart({ cwd, gate }: Crashed): Promise<void> {
  const server = await startServer(ENV, { cwd });
  // The two of the process that was killed, and one of them again, alone: no start in between has begun any.
  await gate.arrived(3);
  const { queued, running, poisoned } = server.records('recovered')[0] as unknown as Record<string, number>;
  expect([Number(queued) + Number(running), poisoned]).toEqual([4, 0]);
  expect(deliveries(cwd)).toEqual([1, 1, 0, 0]);
  gate.open();
  await server.post('/pipelines/p/wait', { itemIds: ['a', 'b', 'c', 'd'] });
  for (const [id, begun] of [
    ['a', 2],
    ['b', 2],
    ['c', 1],
    ['d', 1],
  ] as const) {
    const { status, history } = (await server.get(`/pipelines/p/items/${id}`)).body;
    expect([id, status]).toEqual([id, 'completed']);
    expect([id, history.filter((event: { status: string }) => event.status === 'in_progress').length]).toEqual([id, begun]);
  }
  await server.stop();
}

/** In how many crashes each item ran, as the file says. */
function deliveries(cwd: string): number[] {
  const db = new Database(join(cwd, 'sluice.db'), { readonly: true });
  try {
    return db.prepare('SELECT deliveries FROM items ORDER BY key').pluck().all() as number[];
  } finally {
    db.close();
  }
}

/** The first start that comes so far counts the crash, and those after it count nothing. */
function expectCountedOnce({ cwd }: Crashed): void {
  expect([
    [0, 0, 0, 0],
    [1, 1, 0, 0],
  ]).toContainEqual(deliveries(cwd));
}

// One folder for all of them: each leaves it to the next as the crash did.
describe('after a crash, items are as they were when the starts that follow', TIMEOUT, () => {
  const undo: (() => void)[] = [];
  let crashed: Crashed;

  beforeAll(async () => {
    crashed = await afterCrash((remove) => undo.push(remove));
  }, TIMEOUT.timeout);
  afterAll(() => {
    for (const remove of undo) remove();
  });

  it('find the port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    for (let start = 0; start < STARTS; start++) {
      const { code, message, log } = await startInVain({ ...ENV, PORT: String(port) }, { cwd: crashed.cwd });
      expect(code).toBe(78);
      expect(message).toMatch(/the port is in use/);
      expect(log).toEqual([]);
    }
    expectCountedOnce(crashed);
  });

  it('find a definition that is broken, or one that names no task', async () => {
    const file = join(crashed.cwd, 'pipelines/q.yaml');
    for (const text of ['id: q\nstages:\n  - { name: S, tasks: [nowhere] }\n', 'id: [', 'id: q\nstages: []\n']) {
      writeFileSync(file, text);
      const { code, message } = await startInVain(ENV, { cwd: crashed.cwd });
      expect(code).toBe(78);
      expect(message).toContain('pipelines/q.yaml:');
    }
    writeFileSync(file, 'id: q\nstages:\n  - { name: S, tasks: [hash] }\n');
    expectCountedOnce(crashed);
  });

  it('are asked to stop, at every moment of theirs', async () => {
    const moments: Moment[] = [
      { loading: 'src/config.ts' },
      { loading: 'src/app.ts' },
      { loading: 'tasks/index.ts' },
      { loading: 'tasks/gate.mjs' },
      { loading: 'src/stores/sqlite/index.ts' },
      { logged: '"listening"' },
      { logged: '"pipeline recovered"' },
      { logged: '"pipeline started"' },
    ];
    for (const [i, moment] of moments.entries()) {
      const signal = i % 2 === 0 ? 'SIGTERM' : 'SIGINT';
      const { code, message, log } = await startInVain({ ...ENV, ...at(moment, { signal }) }, { cwd: crashed.cwd, fromSources: true });
      expect([moment, code, message]).toEqual([moment, 0, '']);
      expect(log.map(({ msg }) => msg)).toContain('shutting down');
      expect(log.at(-1)).toMatchObject({ msg: 'shutdown report', mode: 'graceful', finished: 0, aborted: 0, notKept: 0 });
      expect(log.map(({ msg }) => msg)).not.toContain('ready');
    }
    expectCountedOnce(crashed);
  });

  it('are killed, at every moment of theirs', async () => {
    for (const moment of [
      { loading: 'src/stores/sqlite/index.ts' },
      { logged: '"listening"' },
      { logged: '"pipeline recovered"' },
      { logged: '"pipeline started"' },
    ]) {
      const { signal } = await startInVain({ ...ENV, ...at(moment, { signal: 'SIGKILL' }) }, { cwd: crashed.cwd, fromSources: true });
      expect([moment, signal]).toEqual([moment, 'SIGKILL']);
    }
    expectCountedOnce(crashed);
  });

  it('come to nothing, and the next one to something', async () => {
    await expectGoodStart(crashed);
  });
});

describe('a start', () => {
  it('is not hurt by SIGHUP from its first moment, and reloads when it is over', TIMEOUT, async () => {
    const env = at({ loading: 'src/config.ts' }, { signal: 'SIGHUP' });
    const server: ServerProcess = await startServer(env, { cwd: folderWith(), fromSources: true });
    expect(await server.logged('reloaded')).toMatchObject({ by: 'SIGHUP', definitions: { created: [], changed: [], failed: [] } });
    await server.stop();
  });

  it('may hold the event loop for longer than the service may', TIMEOUT, async () => {
    // A version that gave a start ten seconds ended it here.
    const env = { LOOP_STALL_SECONDS: '5', ...at({ logged: '"listening"' }, { heldMs: 11_000 }) };
    const server = await startServer(env, { cwd: folderWith() });
    expect((await server.get('/readyz')).status).toBe(200);
    await server.stop();
  });
});
