/** Items that have ended their stage and wait for room in the next one when the process ends: whatever the stage becomes then, it does not run them again. */
import { describe, expect, it } from 'vitest';
import { systemPorts } from '../../src/engine/ports.ts';
import { replicatedLives } from '../cluster/replicated-lives.ts';
import { Random } from '../engine/simulation/random.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';

const use = (name: string, more: object = {}) => ({ task: 'note', with: { name, ...more } });

describe.each([
  ['a file', livesOf],
  ['a log', replicatedLives(new Random(5))],
] as const)('an item that has ended its stage, over the end of a process with %s', (_store, lived) => {
  it.each([
    ['other tasks', [use('other')], 'crash'],
    ['the same task in another way', [use('A', { more: true })], 'crash'],
    ['a task more', [use('A'), use('more')], 'stop'],
    ['a task before', [use('before'), use('A')], 'crash'],
  ] as const)('is not run there again when the stage has %s', async (_what, tasks, how) => {
    const clock = new VirtualClock();
    const gate = Promise.withResolvers<void>();
    let isOpen = false;
    const note = async (value: unknown, { params }: { params: unknown }): Promise<unknown> => {
      const { name } = params as { name: string };
      if (name === 'B' && !isOpen) await gate.promise;
      return [...(value as string[]), name];
    };
    const lives = lived({ note: note as never }, { ports: { ...systemPorts, clock } }, (work) => clock.finish(work));
    let life = await lives.begin();
    const B = { name: 'B', workers: 1, queueCapacity: 1, tasks: [use('B')] };
    await clock.finish(life.host.create({ id: 'p', stages: [{ name: 'A', workers: 2, tasks: [use('A')] }, B] }));
    const ids = ['running', 'queued', 'first', 'second'];
    await clock.finish(
      life.host.get('p').feed(
        ids.map((id) => ({ id, value: [] })),
        {},
      ),
    );
    await clock.settle();
    const { workerStates } = await clock.finish(life.host.get('p').snapshot());
    const waiting = Object.values(workerStates).filter(({ stage }) => stage === 'A');
    expect(waiting.map(({ waitingFor }) => waitingFor?.reason)).toEqual(['next-stage-full', 'next-stage-full']);
    await clock.finish(life.host.get('p').pause());
    await life[how]();
    life = await lives.begin();
    await clock.settle();
    await clock.finish(life.host.put('p', { stages: [{ name: 'A', workers: 2, tasks: [...tasks] }, B] }));
    isOpen = true;
    gate.resolve();
    await clock.finish(life.host.get('p').resume());
    await clock.finish(life.host.get('p').join());
    const { rows } = await clock.finish(life.host.get('p').results({ after: 0, limit: 10, status: 'all' }));
    expect(rows.map(({ id, value }) => [id, value])).toEqual(ids.map((id) => [id, ['A', 'B']]));
    await life.stop();
  });
});
