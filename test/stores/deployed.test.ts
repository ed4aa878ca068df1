/** Another definition, by a start or without one: items that wait go on in it after the tasks that they have behind them. */
import { describe, expect, it } from 'vitest';
import type { PipelineRuntime, TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { named } from '../conformance/world.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf, registryOf } from './durable-host.ts';

const HOUR = 3600;
const WAYS = [
  { how: 'nothing', by: 'put' },
  { how: 'crash', by: 'put' },
  { how: 'crash', by: 'file' },
  { how: 'stop', by: 'put' },
  { how: 'stop', by: 'file' },
] as const;

/** A pipeline `p` with tasks that note `task:item` of each execution; `slow` takes a second, and `broken` fails until it is mended. */
async function world(stages: StageDefinitionInput[]) {
  const clock = new VirtualClock();
  let runs: string[] = [];
  let isMended = false;
  const handlers: Record<string, (value: unknown, ctx: TaskContext) => unknown> = {
    ...Object.fromEntries(['t0', 't1', 't2', 't3', 't4'].map((name) => [name, (value: unknown) => value])),
    slow: (value) => new Promise((resolve) => clock.setTimer(() => resolve(value), 1000)),
    broken: (value, { permanent }) => {
      if (isMended) return value;
      throw permanent('broken');
    },
    flaky: (value, { attempt, retryAfter }) => {
      if (isMended) return value;
      throw retryAfter(HOUR, `attempt ${attempt}`);
    },
  };
  const tasks = Object.fromEntries(
    Object.entries(handlers).map(([name, run]) => [
      name,
      (value: unknown, ctx: TaskContext): unknown => {
        runs.push(`${name}:${ctx.itemId}`);
        return run(value, ctx);
      },
    ]),
  );
  const finish = <T>(work: Promise<T>): Promise<T> => clock.finish(work);
  const lives = livesOf(tasks, { ports: { ...systemPorts, clock } }, finish);
  let life = await lives.begin();
  await finish(life.host.create({ id: 'p', stages }));
  const of = {
    clock,
    finish,
    get p(): PipelineRuntime {
      return life.host.get('p');
    },
    put: (next: StageDefinitionInput[]) => finish(life.host.put('p', { stages: next })),
    /** Ends a life and begins the next one with other stages. Tasks that a file no longer names are gone. */
    deploy: async ({ how, by }: (typeof WAYS)[number], next: StageDefinitionInput[]): Promise<void> => {
      if (how === 'nothing') {
        runs = [];
        await of.put(next);
        return;
      }
      await of.end(how);
      expect(audit(lives.file()).faults).toEqual([]);
      if (by === 'put') {
        life = await lives.begin();
        await of.put(next);
        return;
      }
      const left = next.flatMap((stage) => stage.tasks as string[]);
      const registry = registryOf(Object.fromEntries(Object.entries(tasks).filter(([name]) => left.includes(name))));
      life = await lives.begin({ registry }, [{ id: 'p', stages: next }]);
    },
    crash: async (): Promise<void> => {
      await of.end('crash');
      life = await lives.begin();
    },
    end: async (how: 'crash' | 'stop'): Promise<void> => {
      await clock.settle();
      await life[how]();
      runs = [];
    },
    feed: async (...ids: string[]): Promise<void> => {
      await finish(of.p.feed(named(...ids), {}));
      await clock.settle();
    },
    /** Stops the pipeline, so that who runs is queued again with the tasks behind it that it has finished. */
    halt: () => finish(of.p.shutdown('force')),
    mend: (): void => {
      isMended = true;
    },
    /** What has run since the last life ended, when nothing is left; in alphabetical order. */
    rest: async (): Promise<string[]> => {
      const { state } = await finish(of.p.describe());
      if (state === 'stopped') await finish(of.p.start());
      if (state === 'paused') await finish(of.p.resume());
      expect(await finish(of.p.join())).toMatchObject({ done: true });
      return runs.sort();
    },
  };
  return of;
}

describe.each(WAYS)('after a $how, with other stages by $by', (way) => {
  it('an item that waited for the limit of its second task runs it, though the first task is gone', async () => {
    const taskRateLimits = { t2: { limit: 1, perSeconds: HOUR } };
    const w = await world([{ name: 'A', workers: 2, tasks: ['t1', 't2'], taskRateLimits }]);
    await w.feed('first', 'x');
    await w.finish(w.p.pause());
    await w.deploy(way, [{ name: 'A', tasks: ['t2'] }]);
    expect(await w.rest()).toEqual(['t2:x']);
  });

  it.each([
    { before: ['t1', 'slow'], after: ['slow', 't2'], runs: ['slow:x', 't2:x'] },
    { before: ['t1', 'slow'], after: ['t0', 't1', 'slow'], runs: ['slow:x'] },
    { before: ['t1', 'slow'], after: ['t2', 't3'], runs: ['t2:x', 't3:x'] },
    { before: ['t1', 't2', 'slow'], after: ['t1', 't3'], runs: ['t3:x'] },
    { before: ['t1', 'slow', 't1'], after: ['t1', 't1', 't2'], runs: ['t1:x', 't2:x'] },
  ])('an item between $before goes on in $after after what it has behind it', async ({ before, after, runs }) => {
    const w = await world([{ name: 'A', tasks: before }]);
    await w.feed('x');
    await w.halt();
    await w.deploy(way, [{ name: 'A', tasks: after }]);
    expect(await w.rest()).toEqual(runs);
  });

  it('an attempt of the whole stage begins at the first task', async () => {
    const w = await world([{ name: 'A', tasks: ['t1', 'slow'], retry: 'per_stage' }]);
    await w.feed('x');
    await w.halt();
    await w.deploy(way, [{ name: 'A', tasks: ['t0', 't1', 't2'], retry: 'per_stage' }]);
    expect(await w.rest()).toEqual(['t0:x', 't1:x', 't2:x']);
  });

  it('an item between two attempts goes on after what it has behind it', async () => {
    const w = await world([{ name: 'A', tasks: ['t1', 'flaky'] }]);
    await w.feed('x');
    expect(await w.finish(w.p.item('x'))).toMatchObject({ status: 'retrying' });
    await w.deploy(way, [{ name: 'A', tasks: ['t0', 't1', 't2'] }]);
    expect(await w.rest()).toEqual(['t2:x']);
  });

  it('a failed item is retried after what it has behind it', async () => {
    const w = await world([{ name: 'A', tasks: ['t1', 'broken'] }]);
    await w.feed('x');
    w.mend();
    await w.deploy(way, [{ name: 'A', tasks: ['t0', 't1', 'broken', 't2'] }]);
    await w.finish(w.p.pause());
    await w.finish(w.p.retryItem('x'));
    await w.deploy(way, [{ name: 'A', tasks: ['broken', 't3'] }]);
    expect(await w.rest()).toEqual(['broken:x', 't3:x']);
  });

  it('an item that is tried by whole stages from now on does not repeat what it has behind it', async () => {
    const w = await world([{ name: 'A', tasks: ['t1', 'flaky'] }]);
    await w.feed('x');
    await w.deploy(way, [{ name: 'A', tasks: ['t1', 't2', 'flaky'], retry: 'per_stage' }]);
    await w.clock.advance(HOUR * 1000);
    expect(await w.finish(w.p.item('x'))).toMatchObject({ status: 'retrying' });
    w.mend();
    expect(await w.rest()).toEqual(['flaky:x', 'flaky:x', 't2:x', 't2:x']);
  });

  it('a failed item that was tried by whole stages begins at the first task, however it is tried from now on', async () => {
    const w = await world([{ name: 'A', tasks: ['t1', 'broken'], retry: 'per_stage' }]);
    await w.feed('x');
    w.mend();
    await w.deploy(way, [{ name: 'A', tasks: ['t1', 'broken'], retry: 'per_task' }]);
    await w.finish(w.p.retryItem('x'));
    expect(await w.rest()).toEqual(['broken:x', 't1:x']);
  });

  it('a failed item whose stage went and came again is retried there after what it has behind it', async () => {
    const w = await world([
      { name: 'A', tasks: ['t1', 'broken'] },
      { name: 'B', tasks: ['t2'] },
    ]);
    await w.feed('x');
    w.mend();
    await w.put([{ name: 'B', tasks: ['t2'] }]);
    await w.deploy(way, [
      { name: 'A', tasks: ['broken', 't1', 't3'] },
      { name: 'B', tasks: ['t2'] },
    ]);
    await w.finish(w.p.retryItem('x'));
    expect(await w.rest()).toEqual(['t2:x', 't3:x']);
  });

  it('items that go through reordered stages on ways of their own meet the new stages on them, too', async () => {
    const [a, b, c, d] = [['t1'], ['t2', 'slow', 'broken'], ['t3'], ['t4']].map((tasks, i) => ({ name: 'ABCD'[i] as string, tasks })) as [
      StageDefinitionInput,
      StageDefinitionInput,
      StageDefinitionInput,
      StageDefinitionInput,
    ];
    const w = await world([a, b, c]);
    await w.feed('failed');
    await w.clock.advance(1000);
    await w.feed('x');
    await w.halt();
    await w.put([a, c, b]);
    w.mend();
    await w.deploy(way, [a, c, b, d]);
    await w.finish(w.p.retryItem('failed'));
    expect(await w.rest()).toEqual(['broken:failed', 'broken:x', 'slow:x', 't3:failed', 't3:x', 't4:failed', 't4:x']);
  });
});

describe('after a crash, an item that ran by the definition before the last one', () => {
  it.each(['per_task', 'per_stage'] as const)('runs the task again that it was in, with retries %s', async (retry) => {
    const w = await world([{ name: 'A', tasks: ['t1', 'slow'], retry }]);
    await w.feed('x');
    await w.put([{ name: 'A', tasks: ['slow', 't3'] }]);
    await w.crash();
    expect(await w.rest()).toEqual(['slow:x', 't3:x']);
  });

  it('does not skip the first task where the stage was to be tried as a whole', async () => {
    const w = await world([{ name: 'A', tasks: ['t1', 'slow'], retry: 'per_stage' }]);
    await w.feed('x');
    await w.put([{ name: 'A', tasks: ['t1', 'slow', 't3'], retry: 'per_task' }]);
    await w.crash();
    expect(await w.rest()).toEqual(['slow:x', 't1:x', 't3:x']);
  });

  it('runs nothing of a stage that it has finished', async () => {
    const w = await world([
      { name: 'A', tasks: ['t1'] },
      { name: 'B', tasks: ['slow'], pull: true },
    ]);
    await w.feed('y');
    await w.feed('x');
    expect((await w.finish(w.p.workerStates()))['A-W0']).toMatchObject({ waitingFor: { reason: 'next-stage-full' } });
    await w.put([
      { name: 'A', tasks: ['t1', 't3'] },
      { name: 'B', tasks: ['slow'], pull: true },
    ]);
    await w.crash();
    expect(await w.rest()).toEqual(['slow:x', 'slow:y']);
  });
});
