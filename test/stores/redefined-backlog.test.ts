/** Definitions that change under more items than memory has room for: what waits in the store goes by the new one, and nothing is read for that at once. */
import { describe, expect, it } from 'vitest';
import { History } from '../../src/engine/durable/history.ts';
import type { DefinitionStep } from '../../src/engine/flow/ways.ts';
import type { TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';

const WINDOW = 16;
const ITEMS = 800;
/** What is in memory of three queues and their retries. */
const IN_MEMORY = 12 * WINDOW;
const WAIT_SECONDS = 3600;

/** Tasks note who ran them; those of `failing` fail at their first attempts. */
async function world(first: StageDefinitionInput[], failing: Record<string, number> = {}) {
  const clock = new VirtualClock();
  const ran = new Map<string, string[]>();
  const left = new Map<string, number>();
  const task =
    (name: string) =>
    (value: unknown, { itemId }: TaskContext): unknown => {
      const runs = ran.get(itemId) ?? [];
      ran.set(itemId, runs);
      const key = `${name} ${itemId}`;
      const failures = left.get(key) ?? failing[name] ?? 0;
      left.set(key, failures - 1);
      if (failures > 0) throw new Error('not yet');
      runs.push(name);
      return value;
    };
  const tasks = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, task(name)]));
  const options = { queueWindow: WINDOW, maxDeliveries: 1000, ports: { ...systemPorts, clock, uniqueId: countedIds('e-') } };
  const lives = livesOf(tasks, options, (work) => clock.finish(work));
  let life = await lives.begin();
  await clock.finish(life.host.create({ id: 'p', stages: first }));
  const ids = Array.from({ length: ITEMS }, (_, i) => `i${i}`);
  const put = async (stages: StageDefinitionInput[]) => {
    const done = await clock.finish(life.host.put('p', { stages }));
    expect(life.host.get('p').core.index.size).toBeLessThan(IN_MEMORY);
    return done;
  };
  return {
    clock,
    ids,
    put,
    get p() {
      return life.host.get('p');
    },
    feed: async () => {
      for (let i = 0; i < ITEMS; i += 500)
        await clock.finish(
          life.host.get('p').feed(
            ids.slice(i, i + 500).map((id) => ({ id, value: id })),
            {},
          ),
        );
      await clock.settle();
    },
    restart: async (how: 'crash' | 'stop') => {
      await life[how]();
      life = await lives.begin();
      expect(life.host.get('p').core.index.size).toBeLessThan(IN_MEMORY);
    },
    /** How many items ran which tasks, in their order. */
    runs: () => {
      const counts: Record<string, number> = {};
      for (const runs of ran.values()) counts[runs.join('')] = (counts[runs.join('')] ?? 0) + 1;
      return counts;
    },
  };
}

const stage = (name: string, tasks = [name.toLowerCase()]): StageDefinitionInput => ({ name, tasks, workers: 4 });
const [A, B, C] = [stage('A'), stage('B'), stage('C')];

describe.each(['crash', 'stop', 'no restart'] as const)('a definition over a backlog, through changes (%s)', (how) => {
  const pass = async ({ restart }: { restart: (by: 'crash' | 'stop') => Promise<void> }): Promise<void> => {
    if (how !== 'no restart') await restart(how);
  };

  it('moves a stage, and each item meets each stage once', async () => {
    const all = await world([A, B, C]);
    await all.clock.finish(all.p.pauseStage('A'));
    await all.feed();
    await pass(all);
    await all.put([C, A, B]);
    await pass(all);
    await all.put([C, B, A, stage('D')]);
    await pass(all);
    await all.put([B, A, C, stage('D')]);
    await pass(all);
    await all.clock.finish(all.p.resumeStage('A'));
    await all.clock.finish(all.p.join());
    expect(all.runs()).toEqual({ abcd: ITEMS });
  });

  it('removes what items have a way to, after their stages have changed places', async () => {
    const all = await world([A, B, C]);
    await all.clock.finish(all.p.pauseStage('A'));
    await all.feed();
    await all.put([B, A, C]);
    await pass(all);
    await all.put([A, C]);
    await pass(all);
    await all.clock.finish(all.p.resumeStage('A'));
    await all.clock.finish(all.p.join());
    expect(all.runs()).toEqual({ ac: ITEMS });
  });

  it('adds and removes tasks of items that wait for a retry: none runs twice, none is left out', async () => {
    const retried = { taskAttempts: 2, taskWaitSeconds: WAIT_SECONDS, retry: 'per_task' as const };
    const all = await world([{ ...stage('A', ['a', 'b', 'c']), ...retried }], { b: 1 });
    await all.feed();
    expect((await all.clock.finish(all.p.stats())).statusCounts.retrying).toBe(ITEMS);
    await pass(all);
    await all.put([{ ...stage('A', ['d', 'a', 'b', 'c']), ...retried }]);
    await pass(all);
    await all.put([{ ...stage('A', ['d', 'a', 'e', 'b', 'c']), ...retried }]);
    await pass(all);
    await all.clock.advance(2 * WAIT_SECONDS * 1000);
    expect((await all.clock.finish(all.p.stats())).statusCounts.completed).toBe(ITEMS);
    expect(all.runs()).toEqual({ aebc: ITEMS });
  });

  it('retries what has failed after the tasks that it has behind it', async () => {
    const once = { taskAttempts: 1, retry: 'per_task' as const };
    const all = await world([{ ...stage('A', ['a', 'b', 'c']), ...once }], { b: 1 });
    await all.feed();
    expect((await all.clock.finish(all.p.stats())).statusCounts.failed).toBe(ITEMS);
    await pass(all);
    await all.put([{ ...stage('A', ['d', 'a', 'e', 'b']), ...once }]);
    await pass(all);
    await all.put([B, { ...stage('A', ['d', 'a', 'e', 'b', 'd']), ...once }]);
    await pass(all);
    expect(await all.clock.finish(all.p.retryFailed({}))).toBe(ITEMS);
    await all.clock.finish(all.p.join());
    expect(all.runs()).toEqual({ aebd: ITEMS });
  });
});

it('has no step before what every row has', () => {
  const history = new History(() => 0);
  const steps = Array.from({ length: 20 }, (_, i): [number, DefinitionStep] => [i + 1, { tasks: [[1, [0, 1]]], ways: null }]);
  history.restore({ version: 20, steps }, () => 5);
  expect(history.stored).toEqual({ version: 20, steps: steps.slice(5) });
});

it('is followed for as long as a row needs it, and forgotten afterwards', async () => {
  const all = await world([A, B]);
  const { history } = all.p.durable ?? {};
  await all.clock.finish(all.p.pauseStage('A'));
  await all.feed();
  for (let i = 0; i < 10; i++) {
    await all.put([B, A]);
    await all.put([A, B]);
  }
  expect(history?.stored.steps.length).toBe(20);
  await all.restart('stop');
  expect(all.p.durable?.history.stored.steps.length).toBe(20);
  await all.clock.finish(all.p.resumeStage('A'));
  await all.clock.finish(all.p.join());
  expect(all.runs()).toEqual({ ab: ITEMS });
  await all.put([B, A]);
  expect(all.p.durable?.history.stored.steps).toEqual([]);
});
