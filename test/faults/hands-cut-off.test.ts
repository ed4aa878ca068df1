/** Hands on machines of their own, which the network between them and the service loses: packets vanish, and nobody is told. */
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createGate, GATE_TASK } from '../e2e/gate.ts';
import { ServerProcess, startServer } from '../e2e/server.ts';
import { folderWith } from '../loader/folder.ts';
import { canSeparate as canMakeNamespaces, type Machine, Network } from './network.ts';

const canSeparate = canMakeNamespaces();
if (!canSeparate) {
  process.stderr.write('SKIPPED: no hand is cut off from its owner; that takes root and iproute2\n');
  it('can cut hands off, in CI', () => expect(process.env.CI).not.toBe('true'));
}

const TIMEOUT = { timeout: 60_000 };
const CUT_MS = 10_000;
const ITEMS = ['one', 'two', 'three', 'four'];

/** A service and a gate that machines reach over a network. */
async function startOwner(env: Record<string, string> = {}) {
  const network = new Network();
  const hands: ServerProcess[] = [];
  const folder = folderWith({
    'tasks/gate.mjs': GATE_TASK,
    'pipelines/p.yaml': 'id: p\nstages:\n  - name: S\n    workers: 4\n    tasks: [gate]\n',
  });
  const tasks = { TASKS_DIR: './tasks' };
  const gate = await createGate(onTestFinished, network.host);
  const owner = await startServer({ HOST: network.host, ALLOW_UNAUTHENTICATED: 'true', ...tasks, ...env }, { cwd: folder });
  onTestFinished(async () => {
    for (const each of [owner, ...hands]) each.signal('SIGKILL');
    await Promise.all([owner, ...hands].map(({ exited }) => exited));
    network.dispose();
  });
  const startHand = async (name: string): Promise<{ hand: ServerProcess; machine: Machine }> => {
    const machine = network.add();
    const hand = new ServerProcess(
      { ROLE: 'hand', OWNER_URL: owner.url, HAND_NAME: name, ...tasks },
      { cwd: folder, under: machine.under },
    );
    hands.push(hand);
    await owner.logged('a hand has connected', (record) => record.hand === name);
    return { hand, machine };
  };
  const feed = async (ids: readonly string[]): Promise<void> => {
    const items = ids.map((id) => ({ id, gate: gate.url }));
    expect((await owner.post('/pipelines/p/feed', { feedId: 'f', items })).body).toMatchObject({ accepted: ids.length });
  };
  /** When all have ended. */
  const results = async (): Promise<unknown[]> => {
    await owner.post('/pipelines/p/feeds/f/wait');
    const { body } = await owner.get('/pipelines/p/results?status=all');
    return body.results.map(({ id, value, error }: { id: string; value: unknown; error: unknown }) => [id, value ?? error]);
  };
  return { owner, gate, startHand, feed, results };
}

const passed = ITEMS.map((id) => [id, { passed: 'yes', attempt: 1 }]);

describe.runIf(canSeparate)('a hand that is cut off', () => {
  it('for 10 s by the beats that are the default is still there: each call is made once, and its result comes late', TIMEOUT, async () => {
    const { owner, gate, startHand, feed, results } = await startOwner();
    const { machine } = await startHand('far');
    await feed(ITEMS);
    await gate.arrived(ITEMS.length);
    machine.cut();
    gate.open();
    const cut = after(CUT_MS);
    const early = await Promise.race([results().then(() => 'all have ended'), cut]);
    expect(early).toBeUndefined();
    machine.heal();
    expect(await results()).toEqual(passed);
    expect(gate.visits).toBe(ITEMS.length);
    expect(owner.records('a hand has gone')).toEqual([]);
  });

  it('for three beats is lost: its calls are made by another, and it comes back without them', TIMEOUT, async () => {
    const { owner, gate, startHand, feed, results } = await startOwner({ LOOP_STALL_SECONDS: '3' });
    const far = await startHand('far');
    await feed(ITEMS);
    await gate.arrived(ITEMS.length);
    far.machine.cut();
    await startHand('near');
    expect(await owner.logged('a hand has gone')).toMatchObject({ hand: 'far', running: ITEMS.length });
    // Any of them may have ended the hand, so the next one runs one of these at a time.
    await gate.arrived(ITEMS.length + 1);
    gate.open();
    expect(await results()).toEqual(passed);
    expect(gate.visits).toBe(2 * ITEMS.length);
    far.machine.heal();
    await owner.logged('a hand has connected', () => owner.records('a hand has connected').length === 3);
    expect((await owner.get('/hands')).body.hands.map(({ name, running }: { name: string; running: number }) => [name, running])).toEqual([
      ['near', 0],
      ['far', 0],
    ]);
  });

  it('counts for the call that it made alone, which fails once as many were lost as may be', TIMEOUT, async () => {
    const { owner, gate, startHand, feed, results } = await startOwner({ LOOP_STALL_SECONDS: '3', MAX_DELIVERIES: '2' });
    const first = await startHand('first');
    await feed(['one']);
    await gate.arrived(1);
    first.machine.cut();
    const second = await startHand('second');
    await gate.arrived(2);
    second.machine.cut();
    expect(await results()).toMatchObject([['one', { message: expect.stringContaining('2 hands that ran it were lost') }]]);
    expect(owner.records('a hand has gone').map(({ hand, running }) => [hand, running])).toEqual([
      ['first', 1],
      ['second', 1],
    ]);
  });
});
