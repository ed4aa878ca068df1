/** A disk that is full for a while: a small tmpfs, which only root can mount. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { createGate, GATE_TASK } from '../e2e/gate.ts';
import { type Answer, ServerProcess, startServer } from '../e2e/server.ts';
import { folderWith } from '../loader/folder.ts';

const HELD = `
export default { name: 'held', async run(value, ctx) {
  const { watch, existsSync } = await import('node:fs');
  const { dirname } = await import('node:path');
  const go = process.env.GO;
  if (!existsSync(go)) await new Promise((resolve) => { const seen = watch(dirname(go), () => { if (existsSync(go)) { seen.close(); resolve(); } }); });
  return value;
} };
`;

function smallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status === 0;
  onTestFinished(() => {
    if (mounted) spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return mounted ? folder : null;
}

/** Asks again at every line of the log, and at least every 50 ms, until the answer fits; the test's own time limit ends it. */
async function until(ask: () => Promise<Answer>, fits: (answer: Answer) => boolean): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Takes what is left of a disk; returns what gives it back. */
function fill(folder: string): () => void {
  const ballast = join(folder, 'ballast');
  spawnSync('sh', ['-c', `cat /dev/zero > '${ballast}' 2>/dev/null; sync`]);
  return () => rmSync(ballast);
}

const canMount = process.getuid?.() === 0;
if (!canMount) process.stderr.write('SKIPPED: only root can mount the small disk that this test fills\n');

describe('a full disk', () => {
  it.skipIf(!canMount && process.env.CI !== 'true')(
    'refuses feeds, keeps the work in flight, and is over when there is room again',
    { timeout: 60_000 },
    async () => {
      const disk = smallDisk();
      expect(disk, 'a tmpfs can be mounted').not.toBeNull();
      const folder = disk as string;
      const go = join(folderWith(), 'go');
      const tasks = folderWith({ 'held.mjs': HELD });
      const env = { STORE_URL: `file:${join(folder, 'sluice.db')}`, PIPELINES: folderWith(), TASKS_DIR: tasks, GO: go };
      const server: ServerProcess = await startServer(env);
      await server.post('/pipelines', { id: 'p', stages: [{ name: 'A', workers: 2, tasks: ['held'] }] });
      await server.post('/pipelines/p/feed', {
        items: [
          { id: 'first', value: 1 },
          { id: 'second', value: 2 },
          { id: 'third', value: 3 },
        ],
      });

      // The ballast takes what is left; the next write of the store fails.
      const empty = fill(folder);
      const acknowledged = ['first', 'second', 'third'];
      let n = 0;
      const refused = await until(
        async () => {
          const id = `more-${n++}`;
          const answer = await server.post('/pipelines/p/feed', { items: [{ id, value: 'x'.repeat(2000) }] });
          if (answer.status === 202) acknowledged.push(id);
          return answer;
        },
        ({ status }) => status !== 202,
      );
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toBe('5');
      expect(refused.body).toMatchObject({ code: 'store-unavailable', detail: expect.stringMatching(/full/) });
      const notReady = await server.get('/readyz');
      expect(notReady).toMatchObject({ status: 503, body: { code: 'store-unavailable', detail: expect.stringMatching(/full/) } });
      expect((await server.get('/livez')).status).toBe(200);
      // Looking still works, and nothing more is handed out; what was begun may end.
      expect((await server.get('/pipelines/p/stats')).status).toBe(200);
      expect((await server.get('/pipelines/p/items/third')).body).toMatchObject({ status: 'queued' });
      writeFileSync(go, '');
      await until(
        () => server.get('/pipelines/p/workers/states'),
        ({ body }) => Object.values(body as Record<string, { status: string }>).every(({ status }) => status === 'idle'),
      );
      expect((await server.post('/pipelines/p/run', { items: [1] })).status).toBe(503);

      empty();
      await until(
        () => server.get('/readyz'),
        ({ status }) => status === 200,
      );
      expect(server.records('the store is not writable; feeding is refused until it is').length).toBeGreaterThan(0);
      expect(server.records('the store is writable again')).toHaveLength(1);
      expect((await server.post('/pipelines/p/run', { items: [{ id: 'after', value: 0 }] })).status).toBe(200);
      acknowledged.push('after');
      await server.post('/pipelines/p/join', {});
      for (const id of acknowledged) expect((await server.get(`/pipelines/p/items/${id}`)).body).toMatchObject({ id, status: 'completed' });

      // And all of it is on the disk.
      server.signal('SIGKILL');
      await server.exited;
      const next = await startServer(env);
      for (const id of acknowledged) expect((await next.get(`/pipelines/p/items/${id}`)).body).toMatchObject({ id, status: 'completed' });
      await next.stop();
      expect(audit(join(folder, 'sluice.db')).faults).toEqual([]);
    },
  );
});

const WAITS = 'the store cannot be opened; the start waits until it can';

describe.skipIf(!canMount && process.env.CI !== 'true')('a start on a full disk', { timeout: 60_000 }, () => {
  /** Listens, is alive, says why it is not ready, and refuses work. */
  async function expectWaiting(server: ServerProcess): Promise<void> {
    await server.logged(WAITS, ({ reason }) => reason === 'the disk is full');
    await server.logged('listening');
    expect((await server.get('/livez')).status).toBe(200);
    const ready = await server.get('/readyz');
    expect(ready).toMatchObject({
      status: 503,
      body: { code: 'store-unavailable', detail: 'the store is not writable: the disk is full' },
    });
    const refused = await server.get('/pipelines');
    expect(refused).toMatchObject({ status: 503, body: { code: 'starting', detail: expect.stringContaining('the disk is full') } });
    expect(refused.headers.get('retry-after')).toBe('5');
  }

  it('waits for room, says so once, and is the first start as soon as there is some', async () => {
    const disk = smallDisk();
    expect(disk, 'a tmpfs can be mounted').not.toBeNull();
    const folder = disk as string;
    const env = { STORE_URL: `file:${join(folder, 'data/sluice.db')}`, PIPELINES: folderWith() };
    const empty = fill(folder);

    const stopped = new ServerProcess(env, {});
    await expectWaiting(stopped);
    stopped.signal('SIGTERM');
    expect(await stopped.exited).toEqual({ code: 0, signal: null });
    expect(stopped.log.at(-1)).toMatchObject({ msg: 'shutdown report', notKept: 0 });

    const server = new ServerProcess(env, {});
    await expectWaiting(server);
    empty();
    await server.logged('ready');
    // Besides the requests that were refused meanwhile.
    expect(server.log.filter(({ level, msg }) => level >= 40 && !msg.startsWith('refused'))).toHaveLength(1);
    expect(server.records('the store is open; the start goes on')).toHaveLength(1);
    await server.post('/pipelines', { id: 'p', stages: [{ name: 'A', tasks: ['hash'] }] });
    expect((await server.post('/pipelines/p/run', { items: ['x'] })).status).toBe(200);
    server.signal('SIGTERM');
    expect((await server.exited).code).toBe(0);
    expect(audit(join(folder, 'data/sluice.db')).faults).toEqual([]);
  });

  it('after a crash goes on with the items by itself when there is room, and counts the crash once', async () => {
    const disk = smallDisk();
    expect(disk, 'a tmpfs can be mounted').not.toBeNull();
    const folder = disk as string;
    const gate = await createGate();
    const env = {
      STORE_URL: `file:${join(folder, 'sluice.db')}`,
      PIPELINES: folderWith({ 'p.json': JSON.stringify({ id: 'p', stages: [{ name: 'A', tasks: ['gate'] }] }) }),
      TASKS_DIR: folderWith({ 'gate.mjs': GATE_TASK }),
      MAX_DELIVERIES: '2',
    };
    const first = await startServer(env);
    await first.post('/pipelines/p/feed', { items: ['a', 'b'].map((id) => ({ id, value: { gate: gate.url } })) });
    await gate.arrived(1);
    first.signal('SIGKILL');
    await first.exited;
    // The log goes into the file now: a start that did it would make room for itself.
    const db = new Database(join(folder, 'sluice.db'));
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.close();
    const empty = fill(folder);
    for (const end of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      const waiting = new ServerProcess(env, {});
      await expectWaiting(waiting);
      waiting.signal(end);
      expect(await waiting.exited).toEqual(end === 'SIGTERM' ? { code: 0, signal: null } : { code: null, signal: end });
    }
    const server = new ServerProcess(env, {});
    await expectWaiting(server);
    empty();
    await server.logged('ready');
    await gate.arrived(2);
    gate.open();
    await server.post('/pipelines/p/wait', { itemIds: ['a', 'b'] });
    for (const id of ['a', 'b']) expect((await server.get(`/pipelines/p/items/${id}`)).body).toMatchObject({ id, status: 'completed' });
    server.signal('SIGTERM');
    expect((await server.exited).code).toBe(0);
  });
});
