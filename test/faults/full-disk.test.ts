/** A disk that is full for a while: a small tmpfs, which only root can mount. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { type Answer, type ServerProcess, startServer } from '../e2e/server.ts';
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

describe('a full disk', () => {
  const canMount = process.getuid?.() === 0;
  if (!canMount) process.stderr.write('SKIPPED: only root can mount the small disk that this test fills\n');

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
      const ballast = join(folder, 'ballast');
      spawnSync('sh', ['-c', `cat /dev/zero > '${ballast}' 2>/dev/null; sync`]);
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

      rmSync(ballast);
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
