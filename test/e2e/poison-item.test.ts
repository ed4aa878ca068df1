/** An item that kills the service, time and again: who ran beside it completes, also in other pipelines. */
import { describe, expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { createGate, GATE_TASK } from './gate.ts';
import { startServer } from './server.ts';

const TIMEOUT = { timeout: 300_000 };
/** Killed as by the kernel: nothing in the process can say who did it. */
const WORK = `
import { spawnSync } from 'node:child_process';
export default {
  run: async (value) => {
    // Those beside it have begun.
    await new Promise(setImmediate);
    if (value.kills) spawnSync('kill', ['-KILL', String(process.pid)]);
    return value;
  },
};
`;
const INNOCENT = 12;

describe('an item that kills the process', () => {
  it('is condemned alone, and all that ran with it complete', TIMEOUT, async () => {
    const gate = await createGate();
    const definition = (id: string, task: string): string => JSON.stringify({ id, stages: [{ name: 'S', workers: 7, tasks: [task] }] });
    const cwd = folderWith({
      'tasks/work.mjs': WORK,
      'tasks/gate.mjs': GATE_TASK,
      'pipelines/p.json': definition('p', 'work'),
      'pipelines/q.json': definition('q', 'gate'),
    });
    const env = { STORE_URL: 'file:./sluice.db', TASKS_DIR: './tasks', MAX_DELIVERIES: '2' };
    let server = await startServer(env, { cwd });
    const items = Array.from({ length: INNOCENT }, (_, i) => ({ id: `i${i}`, value: {} }));
    await server.post('/pipelines/p/pause', {});
    await server.post('/pipelines/q/feed', { items: items.map(({ id }) => ({ id, value: { gate: gate.url } })) });
    await gate.arrived(7);
    await server.post('/pipelines/p/feed', { items: [...items.slice(0, 3), { id: 'bad', value: { kills: true } }, ...items.slice(3)] });
    let crashes = 0;
    for (; crashes < 5; crashes++) {
      // The process may be killed before that is stored, so it is asked for again.
      await server.post('/pipelines/p/resume', {}).catch(() => undefined);
      const waited = server
        .post('/pipelines/p/wait', { itemIds: [...items.map(({ id }) => id), 'bad'], timeoutSeconds: 60 })
        .then(() => 'done' as const)
        .catch(() => 'cut short' as const);
      if ((await Promise.race([waited, server.exited.then(() => 'killed' as const)])) === 'done') break;
      expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
      gate.open();
      server = await startServer(env, { cwd });
    }
    expect(crashes).toBe(2);
    await server.post('/pipelines/q/wait', { itemIds: items.map(({ id }) => id) });
    const { statusCounts: p } = (await server.get('/pipelines/p/stats')).body;
    const { statusCounts: q } = (await server.get('/pipelines/q/stats')).body;
    expect([p.completed, p.failed, q.completed, q.failed]).toEqual([INNOCENT, 1, INNOCENT, 0]);
    expect((await server.get('/pipelines/p/items/bad')).body).toMatchObject({ status: 'failed', error: { type: 'PoisonItem' } });
    await server.stop();
  });
});
