import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderWith, type WhenFinished } from '../loader/folder.ts';
import { createGate, GATE_TASK } from './gate.ts';
import { type LogRecord, ServerProcess, startServer } from './server.ts';

const TIMEOUT = { timeout: 60_000 };
/** For each process of those that start one after the other. */
const START_MS = 20_000;
const STANDS = 'the event loop stands; the process ends';

/** Holds the loop in the way that the item's value names, if it names one. */
const HOLD = `
import { readFileSync } from 'node:fs';
import { execSync } from 'node:child_process';
const until = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
// Stands as a loop does, and leaves the processor to the others.
const stand = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
const ways = {
  loop() { for (;;); },
  async 'wait after an await'() { await null; await new Promise((resolve) => setTimeout(resolve, 1)); stand(); },
  async 'wait later'({ gate }) { await fetch(gate); stand(); },
  'wait in a timer'() { return new Promise(() => setTimeout(stand, 1)); },
  pattern() { /^(a+)+$/.test('a'.repeat(50) + 'b'); },
  microtasks() { const again = () => queueMicrotask(again); again(); return new Promise(() => {}); },
  file(value) { readFileSync(value.fifo); },
  command() { execSync('sleep 600'); },
  wait: stand,
  json() { const text = '[' + '{"a":1},'.repeat(3e6) + '1]'; for (;;) JSON.parse(text); },
  'a while'() { until(600); },
};
ways.gate = async ({ gate }) => (await fetch(gate)).text();
export const hold = (value) => ways[value?.how]?.(value);
`;
const TASKS = {
  'tasks/lib/hold.mjs': HOLD,
  'tasks/held.mjs':
    "import { hold } from './lib/hold.mjs'; export default { run: async (value) => { await hold(value); return 'done'; } };",
  'tasks/held_predicate.mjs': "import { hold } from './lib/hold.mjs'; export default { kind: 'predicate', run: (value) => hold(value) };",
  'tasks/held_hook.mjs': "import { hold } from './lib/hold.mjs'; export default { kind: 'hook', run: (_id, value) => hold(value?.kept) };",
  'tasks/keep.mjs': 'export default { run: (value) => ({ kept: value }) };',
  'tasks/gate.mjs': GATE_TASK,
};
const PIPELINES = {
  'pipelines/p.json': JSON.stringify({
    id: 'p',
    stages: [
      { name: 'Held', tasks: ['held'], workers: 4 },
      { name: 'After', tasks: ['keep'] },
    ],
  }),
  'pipelines/predicate.json': JSON.stringify({ id: 'predicate', stages: [{ name: 'S', tasks: ['keep'], skipIf: 'held_predicate' }] }),
  'pipelines/hook.json': JSON.stringify({ id: 'hook', stages: [{ name: 'S', tasks: ['keep'], onSuccess: 'held_hook' }] }),
  'pipelines/beside.json': JSON.stringify({ id: 'beside', stages: [{ name: 'S', tasks: ['gate'], workers: 4 }] }),
};

function serviceFolder(whenFinished: WhenFinished): string {
  const folder = folderWith({ ...TASKS, ...PIPELINES }, whenFinished);
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  return folder;
}

const ENV = { TASKS_DIR: './tasks', LOOP_STALL_SECONDS: '2' };
const start = (cwd: string, env: Record<string, string> = {}): Promise<ServerProcess> => startServer({ ...ENV, ...env }, { cwd });

/** Feeds an item; the answer may not come, since the loop is held before it. */
function feed(server: ServerProcess, pipeline: string, item: object): void {
  server.post(`/pipelines/${pipeline}/feed`, { items: [item] }).catch(() => undefined);
}

async function ended(server: ServerProcess): Promise<LogRecord> {
  expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(server.stderr).toBe('');
  expect(server.noise).toEqual([]);
  const last = server.log.at(-1) as LogRecord;
  expect(last).toMatchObject({ level: 60, msg: STANDS });
  return last;
}

const HOLDERS: [string, string, string, string][] = [
  ['loop', 'p', 'Held', 'held'],
  ['wait after an await', 'p', 'Held', 'held'],
  ['wait in a timer', 'p', 'Held', 'held'],
  ['pattern', 'p', 'Held', 'held'],
  ['microtasks', 'p', 'Held', 'held'],
  ['file', 'p', 'Held', 'held'],
  ['command', 'p', 'Held', 'held'],
  ['wait', 'p', 'Held', 'held'],
  ['json', 'p', 'Held', 'held'],
  ['wait', 'predicate', 'S', 'skipIf'],
  ['file', 'hook', 'S', 'onSuccess'],
];

describe('an event loop that stands', TIMEOUT, () => {
  const held: ServerProcess[] = [];
  const undo: (() => void)[] = [];

  // They are held together, and none is while another one starts.
  beforeAll(async () => {
    const folders: string[] = [];
    for (const _ of HOLDERS) {
      const cwd = serviceFolder((remove) => undo.push(remove));
      folders.push(cwd);
      held.push(await start(cwd));
    }
    for (const [i, [how, pipeline]] of HOLDERS.entries()) {
      feed(held[i] as ServerProcess, pipeline, { id: 'order-Ω', how, fifo: join(folders[i] as string, 'fifo') });
    }
  }, HOLDERS.length * START_MS);
  afterAll(() => {
    for (const remove of undo) remove();
  });

  const cases = HOLDERS.map((holder, i) => [...holder, i] as const);
  it.each(cases)('ends the process, and the log names what held it: %s in %s', async (_how, pipeline, stage, task, i) => {
    expect(await ended(held[i] as ServerProcess)).toMatchObject({ pipeline, stage, task, item: 'order-Ω', sequenceId: 1 });
  });
});

// Each waits for a process of its own: they wait together.
describe.concurrent('a process whose event loop stands, or seems to', TIMEOUT, () => {
  it('shows the secrets that it names as the log does', async ({ onTestFinished }) => {
    const server = await start(serviceFolder(onTestFinished), { SECRET_KEY: 'sesame-open' });
    feed(server, 'p', { id: 'sesame-open', how: 'wait' });
    expect(await ended(server)).toMatchObject({ item: '[secret KEY]' });
  });

  it('counts the item that held it and no other; in the end it has failed and the others have completed', async ({ onTestFinished }) => {
    const cwd = serviceFolder(onTestFinished);
    const gate = await createGate(onTestFinished);
    const env = { STORE_URL: 'file:./sluice.db', MAX_DELIVERIES: '2' };
    let server = await start(cwd, env);
    await server.post('/pipelines/beside/feed', { items: ['a', 'b'].map((id) => ({ id, value: { gate: gate.url } })) });
    await gate.arrived(2);
    const also = { id: 'also', how: 'gate', gate: gate.url };
    // It holds the loop when its feed has been answered, and at once when it runs again.
    const answered = await createGate(onTestFinished);
    const bad = { id: 'bad', how: 'wait later', gate: answered.url };
    expect((await server.post('/pipelines/p/feed', { items: [also, bad] })).status).toBe(202);
    answered.open();
    expect(await ended(server)).toMatchObject({ item: 'bad' });
    // It may be held before it listens.
    server = new ServerProcess({ ...ENV, ...env }, { cwd });
    expect(await ended(server)).toMatchObject({ item: 'bad' });
    server = await start(cwd, env);
    expect(server.records('recovered')[0]).toMatchObject({ poisoned: 1 });
    expect((await server.get('/pipelines/p/items/bad')).body).toMatchObject({ status: 'failed', error: { type: 'PoisonItem' } });
    gate.open();
    for (const [pipeline, count] of [
      ['beside', 2],
      ['p', 1],
    ] as const) {
      await server.post(`/pipelines/${pipeline}/join`, { timeoutSeconds: 20 });
      const { body } = await server.get(`/pipelines/${pipeline}/results?status=all`);
      const completed = body.results.filter(({ error }: { error: unknown }) => error === null);
      expect(completed, JSON.stringify(body)).toHaveLength(count);
    }
    await server.stop();
  });

  it('is none when the process was stopped for longer, and goes on', async ({ onTestFinished }) => {
    const server = await start(serviceFolder(onTestFinished));
    server.signal('SIGSTOP');
    // Longer than the limit, on the clock of the machine: that is what is tested.
    await once(spawn('sleep', ['5']), 'exit');
    server.signal('SIGCONT');
    const { body } = await server.post('/pipelines/p/run', { items: [{ id: 'x' }] });
    expect(body.results).toMatchObject([{ id: 'x', error: null }]);
    await server.stop();
  });

  it('is none when a task holds it for less, or when it may stand for ever', async ({ onTestFinished }) => {
    const less = await start(serviceFolder(onTestFinished), { LOOP_STALL_SECONDS: '20' });
    const never = await start(serviceFolder(onTestFinished), { LOOP_STALL_SECONDS: '0' });
    for (const server of [less, never]) {
      const { body } = await server.post('/pipelines/p/run', { items: [{ id: 'x', how: 'a while' }] });
      expect(body.results).toMatchObject([{ id: 'x', error: null }]);
      await server.stop();
    }
  });
});
