/** An item that kills the service in the turn in which it comes, before anything of it is stored, and a client that comes again until it is answered. */
import { describe, expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { type ServerProcess, startServer } from './server.ts';

const TIMEOUT = { timeout: 300_000 };
const WORK = `
export default {
  run: (value) => {
    if (value.kills) process.kill(process.pid, 'SIGKILL');
    return value;
  },
};
`;
const PIPELINE = JSON.stringify({ id: 'p', stages: [{ name: 'S', workers: 2, tasks: ['work'] }] });
/** Without an end to it, each call ends one more process. */
const CRASHES_MAX = 8;

/** What is stored may kill the next process before that is ready. */
async function startedAtLast(env: Record<string, string>, cwd: string, onCrash: () => void): Promise<ServerProcess> {
  for (let tries = 0; tries < CRASHES_MAX; tries++) {
    const started = await startServer(env, { cwd }).catch(() => null);
    if (started !== null) return started;
    onCrash();
  }
  return expect.fail(`${CRASHES_MAX} starts were killed`);
}

describe('an item that kills the process before it is stored', () => {
  it.each([
    ['the same id', {}, 'bad'],
    ['the same Idempotency-Key', { 'idempotency-key': 'again' }, undefined],
  ])('is condemned after one crash more than others, sent again with %s', TIMEOUT, async (_how, headers, id) => {
    const cwd = folderWith({ 'tasks/work.mjs': WORK, 'pipelines/p.json': PIPELINE });
    const env = { STORE_URL: 'file:./sluice.db', TASKS_DIR: './tasks', MAX_DELIVERIES: '2' };
    const value = { kills: true };
    const items = [id === undefined ? value : { id, value }];
    let crashes = 0;
    let server = await startServer(env, { cwd });
    const failed = async (): Promise<unknown[]> => (await server.get('/pipelines/p/items?status=failed')).body.items;
    const isOver = async (): Promise<boolean> => {
      await server.call('POST', '/pipelines/p/feed', { items }, headers);
      return (await failed()).length > 0;
    };
    for (; crashes < CRASHES_MAX; crashes++) {
      // Whether it is answered before it is killed is a matter of luck.
      if (await isOver().catch(() => false)) break;
      expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
      server = await startedAtLast(env, cwd, () => void crashes++);
    }
    expect(crashes).toBe(3);
    expect(await failed()).toMatchObject([{ error: { type: 'PoisonItem' } }]);
    expect((await server.post('/pipelines/p/run', { items: [{ ok: true }] })).body.results).toMatchObject([{ value: { ok: true } }]);
    await server.stop();
  });
});
