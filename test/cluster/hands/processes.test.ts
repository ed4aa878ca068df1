/** Hands as processes of their own, as they are started in production. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { hashTasks } from '../../../src/loader/task-hashes.ts';
import { loadUserTasks } from '../../../src/loader/user-tasks.ts';
import { VERSION } from '../../../src/version.ts';
import { createGate as createHttpGate, GATE_TASK } from '../../e2e/gate.ts';
import { ServerProcess, startInVain, startServer } from '../../e2e/server.ts';
import { keyLine, secretOf } from '../../http/access-harness.ts';
import { folderWith } from '../../loader/folder.ts';
import { give, type Owner, startOwner } from './harness.ts';

const FILES = {
  'echo.mjs': 'export default { run: (value) => ({ value, pid: process.pid }) };',
  'gated.mjs': GATE_TASK,
  'deadly.mjs': "export default { run: () => process.kill(process.pid, 'SIGKILL') };",
  'exits.mjs': 'export default { run: () => process.exit(0) };',
  'throws.mjs':
    "export default { run: () => new Promise(() => setImmediate(() => { throw new Error('left behind, with secret-of-mine') })) };",
  'rejects.mjs': "export default { run: () => { void Promise.reject(new Error('nobody waits, with secret-of-mine')); return 1; } };",
  'stuck.mjs': 'export default { run: () => { for (;;); } };',
  'logs.mjs':
    "export default { run: (value, ctx) => { ctx.logger.info({ token: value }, 'from a task'); throw new Error('failed with ' + value); } };",
  'busy.mjs':
    "export default { thread: true, run: (value, ctx) => { ctx.setStatus('in a thread'); let sum = 0; for (let i = 0; i < value; i++) sum += i; return sum; } };",
  'spins.mjs': 'export default { thread: true, run: () => { for (;;); } };',
};

async function ownerOf(folder: string, options: { beatMs?: number; maxDeliveries?: number } = {}): Promise<Owner> {
  const own = await loadUserTasks(folder, []);
  return startOwner({ tasks: await hashTasks([], own, { version: VERSION, folder }), version: VERSION, ...options });
}

const startHandProcess = (owner: Pick<Owner, 'url'>, env: Record<string, string> = {}): ServerProcess =>
  new ServerProcess({ ROLE: 'hand', OWNER_URL: owner.url, HAND_NAME: 'h', ...env }, {});

/** The processes that a process has started and that run, as the system knows them. */
function ownHandsOf(parent: number): { pid: number; environment: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, ppid] = /\) \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
        return Number(ppid) === parent ? [{ pid: Number(name), environment: readFileSync(`/proc/${name}/environ`, 'utf8') }] : [];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

/** Between two looks at what no event tells of; to look all the time would take the processor from those who are waited for. */
const LOOK_MS = 10;

/** Resolves when none of them is there any more. */
async function gone(children: readonly { pid: number }[]): Promise<void> {
  while (children.some(({ pid }) => isAlive(pid))) await after(LOOK_MS);
}

/** A process that has ended and that nobody has asked for yet is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a hand that is a process', () => {
  it('makes calls of the files in TASKS_DIR, also in threads, and drains when it is asked to end', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder);
    const gate = await createHttpGate();
    const hand = startHandProcess(owner, { TASKS_DIR: folder, THREADS: '1' });
    expect(await give(owner.pool, 'echo', 1).result).toEqual({ value: 1, pid: hand.pid });
    const busy = give(owner.pool, 'busy', 1000);
    expect(await busy.result).toBe(499_500);
    expect(busy.statuses).toEqual(['in a thread']);
    const spinning = give(owner.pool, 'spins');
    await spinning.begun;
    spinning.abort();
    // There is one thread: the next one runs when that has ended.
    expect(await give(owner.pool, 'busy', 10).result).toBe(45);

    const running = give(owner.pool, 'gated', { gate: gate.url });
    await gate.arrived(1);
    hand.signal('SIGTERM');
    await owner.log.seen('a hand is leaving');
    const next = give(owner.pool, 'echo', 2);
    gate.open();
    expect(await running.result).toEqual({ passed: 'yes', attempt: 1 });
    expect(await hand.exited).toEqual({ code: 0, signal: null });
    expect(hand.log.at(-1)?.msg).toBe('the hand ends');
    const other = startHandProcess(owner, { TASKS_DIR: folder });
    expect(await next.result).toEqual({ value: 2, pid: other.pid });
    expect(running.waits).toBe(0);
    other.signal('SIGKILL');
  });

  it('gives back what has not ended in SHUTDOWN_TIMEOUT_SECONDS, at once at a second signal', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder, { maxDeliveries: 1 });
    const gate = await createHttpGate();
    const hand = startHandProcess(owner, { TASKS_DIR: folder, SHUTDOWN_TIMEOUT_SECONDS: '3600' });
    const call = give(owner.pool, 'gated', { gate: gate.url });
    await gate.arrived(1);
    hand.signal('SIGTERM');
    await hand.logged('the hand is leaving');
    // What comes within a tenth of a second is the echo of a terminal, so it is asked until it hears.
    while (hand.records('the hand is leaving').length < 2) {
      hand.signal('SIGTERM');
      await after(LOOK_MS);
    }
    expect(await hand.exited).toEqual({ code: 0, signal: null });
    const other = startHandProcess(owner, { TASKS_DIR: folder });
    await gate.arrived(2);
    gate.open();
    expect(await call.result).toEqual({ passed: 'yes', attempt: 1 });
    other.signal('SIGKILL');
  });

  it('that is killed is noticed at once, and its calls go to another', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder);
    const gate = await createHttpGate();
    const hand = startHandProcess(owner, { TASKS_DIR: folder });
    const call = give(owner.pool, 'gated', { gate: gate.url });
    await gate.arrived(1);
    hand.signal('SIGKILL');
    const [line] = await owner.log.seen('a hand has gone');
    expect(line).toMatchObject({ hand: 'h', running: 1 });
    const other = startHandProcess(owner, { TASKS_DIR: folder });
    await gate.arrived(2);
    gate.open();
    expect(await call.result).toEqual({ passed: 'yes', attempt: 1 });
    expect([call.begins, call.waits]).toEqual([2, 1]);
    other.signal('SIGKILL');
  });

  it('that is stopped is given up after three silent beats; when it goes on it aborts what it had, and connects again', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder, { beatMs: 300 });
    const gate = await createHttpGate();
    const hand = startHandProcess(owner, { TASKS_DIR: folder, HAND_NAME: 'stopped' });
    const call = give(owner.pool, 'gated', { gate: gate.url });
    await gate.arrived(1);
    hand.signal('SIGSTOP');
    const [line] = await owner.log.seen('a hand has gone');
    expect(line).toMatchObject({ hand: 'stopped', why: 'nothing was heard of it for 3 beats', running: 1 });
    hand.signal('SIGCONT');
    await hand.logged('the hand has lost its owner');
    await owner.log.seen('a hand has connected', 2);
    await gate.arrived(2);
    gate.open();
    expect(await call.result).toEqual({ passed: 'yes', attempt: 1 });
    expect(call.waits).toBe(1);
    hand.signal('SIGKILL');
  });

  it('that a task ends again and again: the task fails as PoisonItem, and what ran beside it does not', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder, { maxDeliveries: 3 });
    const gate = await createHttpGate();
    const hands = new Set<ServerProcess>();
    let isOver = false;
    const keepOne = (): void => {
      const hand = startHandProcess(owner, { TASKS_DIR: folder });
      hands.add(hand);
      void hand.exited.then(() => hands.delete(hand) && !isOver && keepOne());
    };
    keepOne();
    await owner.log.seen('a hand has connected');
    // Both are on the first one; what is suspected then has a second one.
    const good = give(owner.pool, 'gated', { gate: gate.url });
    await gate.arrived(1);
    const bad = give(owner.pool, 'deadly');
    keepOne();
    await expect(bad.result).rejects.toMatchObject({ name: 'PoisonItem', permanent: true });
    gate.open();
    expect(await good.result).toEqual({ passed: 'yes', attempt: 1 });
    isOver = true;
    for (const hand of hands) hand.signal('SIGKILL');
  });

  it('that a task ends by what it leaves behind: that task fails, and what ran beside it is not counted', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder, { maxDeliveries: 1 });
    const gate = await createHttpGate();
    const hand = startHandProcess(owner, { TASKS_DIR: folder });
    const good = give(owner.pool, 'gated', { gate: gate.url });
    await gate.arrived(1);
    const bad = give(owner.pool, 'throws');
    await expect(bad.result).rejects.toMatchObject({ name: 'Error', message: 'left behind, with secret-of-mine' });
    expect(await hand.exited).toEqual({ code: 1, signal: null });
    const other = startHandProcess(owner, { TASKS_DIR: folder });
    await gate.arrived(2);
    gate.open();
    expect(await good.result).toEqual({ passed: 'yes', attempt: 1 });
    expect(await give(owner.pool, 'rejects').result).toBe(1);
    await owner.log.seen('a promise was rejected and nobody waited for it');
    // Their own logs name it, and do not show it.
    expect(JSON.stringify([hand.log, other.log])).not.toContain('secret-of-mine');
    expect(hand.records('uncaught exception: the hand ends')[0]).toMatchObject({ task: 'throws', item: 'i', type: 'Error' });
    other.signal('SIGKILL');
  });

  it('whose loop a task holds ends itself after LOOP_STALL_SECONDS, and says what held it', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder, { maxDeliveries: 1 });
    const hand = startHandProcess(owner, { TASKS_DIR: folder, LOOP_STALL_SECONDS: '0.5' });
    const call = give(owner.pool, 'stuck');
    await expect(call.result).rejects.toMatchObject({ name: 'PoisonItem' });
    expect(await hand.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(hand.records('the event loop stands; the process ends')[0]).toMatchObject({
      pipeline: 'p',
      stage: 's',
      task: 'stuck',
      item: 'i',
    });
  });

  it('that exits is lost, and its log says which task has done it', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder, { maxDeliveries: 1 });
    const hand = startHandProcess(owner, { TASKS_DIR: folder });
    await expect(give(owner.pool, 'exits').result).rejects.toMatchObject({ name: 'PoisonItem' });
    await hand.exited;
    expect(hand.records('process.exit was called')[0]).toMatchObject({ task: 'exits', item: 'i' });
  });

  it('logs nothing of values, parameters and errors; the owner is told', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder);
    const hand = startHandProcess(owner, { TASKS_DIR: folder, LOG_LEVEL: 'trace' });
    const call = give(owner.pool, 'logs', 'hunter2-hunter2', { given: { extra: 'hunter2-hunter2' } });
    await expect(call.result).rejects.toMatchObject({ name: 'InvalidParams' });
    await expect(give(owner.pool, 'logs', 'hunter2-hunter2').result).rejects.toThrow('failed with hunter2-hunter2');
    const [line] = await owner.log.seen('from a task');
    expect(line).toMatchObject({ token: 'hunter2-hunter2', hand: 'h' });
    hand.signal('SIGTERM');
    await hand.exited;
    expect(JSON.stringify(hand.log) + hand.stderr).not.toContain('hunter2');
  });

  it('with other files in TASKS_DIR is given nothing of them', async () => {
    const folder = folderWith(FILES);
    const owner = await ownerOf(folder);
    const hand = startHandProcess(owner, { TASKS_DIR: folderWith({ ...FILES, 'lib/shared.mjs': 'export const rate = 2;' }) });
    await owner.log.seen('a hand has connected that is given less than others');
    expect(owner.pool.view().hands).toMatchObject([
      {
        tasks: [],
        missing: Object.keys(FILES)
          .map((file) => file.slice(0, -4))
          .sort(),
      },
    ]);
    hand.signal('SIGKILL');
  });

  it.each([
    ['without OWNER_URL', { ROLE: 'hand' }, 'OWNER_URL is required with ROLE=hand: the address of the service'],
    [
      'with an address that is none',
      { ROLE: 'hand', OWNER_URL: 'ws://a' },
      'OWNER_URL "ws://a" must be an http: or https: URL without a query or credentials',
    ],
    [
      'with a key that is none',
      { ROLE: 'hand', OWNER_URL: 'http://a', OWNER_KEY: 'hunter2' },
      'OWNER_KEY must be a whole key, slc_<name>_<secret>',
    ],
    ['that is to start hands', { ROLE: 'hand', OWNER_URL: 'http://a', HANDS: '2' }, 'HANDS is for a service; a hand starts none'],
  ])('%s does not start, and says why', async (_what, env, message) => {
    const end = await startInVain(env);
    expect(end).toMatchObject({ code: 78, message: expect.stringContaining(message) });
    expect(end.message).not.toContain('hunter2');
  });
});

describe('a service', () => {
  it('takes hands with a key of the scope work alone, and shows them', async () => {
    const folder = folderWith(FILES);
    const keys = ['reader:read', 'worker:work', 'limited:work;pipelines=a'].map((key) => keyLine(key)).join();
    const server = await startServer({ TASKS_DIR: folder, API_KEYS: keys });
    const refused = ['reader', 'limited'].map((name) =>
      startHandProcess(server, { TASKS_DIR: folder, OWNER_KEY: secretOf(name), HAND_NAME: name }),
    );
    const lines = await Promise.all(refused.map((hand) => hand.logged('the hand cannot connect')));
    const needed = 'it answers 403: the key in OWNER_KEY needs the scope work, for all pipelines';
    expect(lines.map(({ why }) => why)).toEqual([needed, needed]);
    const hand = startHandProcess(server, { TASKS_DIR: folder, OWNER_KEY: secretOf('worker'), HAND_CAPACITY: '7' });
    await server.logged('a hand has connected');
    const { body } = await server.call('GET', '/hands', undefined, { authorization: `Bearer ${secretOf('reader')}` });
    expect(body).toMatchObject({
      hands: [{ name: 'h', version: VERSION, missing: [], capacity: 7, running: 0, leaving: false, fault: null }],
      waiting: [],
    });
    expect(body.hands[0].tasks).toEqual(expect.arrayContaining(['deadly', 'echo', 'http_request']));
    await server.stop();
    await hand.logged('the hand has lost its owner');
    for (const one of [...refused, hand]) one.signal('SIGKILL');
    expect(JSON.stringify([server.log, hand.log])).not.toContain(secretOf('worker'));
  });

  it('starts hands of its own, starts those again that end, and ends them with itself', async () => {
    const server = await startServer({ HANDS: '2', API_KEYS: keyLine('reader:read') });
    const read = async () => (await server.call('GET', '/hands', undefined, { authorization: `Bearer ${secretOf('reader')}` })).body.hands;
    await server.logged('a hand has connected', ({ hand }) => String(hand).endsWith('-1'));
    await server.logged('a hand has connected', ({ hand }) => String(hand).endsWith('-2'));
    expect(await read()).toHaveLength(2);
    const [first] = ownHandsOf(server.pid) as { pid: number; environment: string }[];
    process.kill(first?.pid as number, 'SIGKILL');
    await server.logged('a hand has ended; it is started again');
    // Three have connected by then.
    await server.logged('the hand is connected', () => server.records('a hand has connected').length === 3);
    const children = ownHandsOf(server.pid);
    expect(children).toHaveLength(2);
    // The key is in no environment and in no log.
    for (const { environment } of children) expect(environment).not.toContain('slc_own-hands');
    server.signal('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(server.records('the HTTP side does not close; it is left behind')).toEqual([]);
    expect(JSON.stringify(server.log)).not.toContain('slc_own-hands');
    await gone(children);
  });

  it('that is killed takes the hands that it has started along', async () => {
    const server = await startServer({ HANDS: '2' });
    await server.logged('a hand has connected', () => server.records('a hand has connected').length === 2);
    const children = ownHandsOf(server.pid);
    expect(children).toHaveLength(2);
    server.signal('SIGKILL');
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await gone(children);
  });
});
