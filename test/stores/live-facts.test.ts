/** What is written beside the items is there after a restart, also after `kill -9` and at another node: windows of a stage's own rates, and the figures of workers. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LocalHost, TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import { replicatedLives } from '../cluster/replicated-lives.ts';
import { Random } from '../engine/simulation/random.ts';
import { countedIds, seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, livesOf } from './durable-host.ts';

const SECOND = 1000;

/** p-queue takes its time from the globals. */
function replaceGlobals(clock: VirtualClock): void {
  const { setTimeout, clearTimeout } = globalThis;
  const now = Date.now;
  Object.assign(globalThis, {
    setTimeout: (run: () => void, ms = 0) => clock.setTimer(run, ms),
    clearTimeout: (timer: unknown) => clock.clearTimer(timer),
  });
  Date.now = () => clock.now();
  onTestFinished(() => {
    Object.assign(globalThis, { setTimeout, clearTimeout });
    Date.now = now;
  });
}

const KINDS = [
  ['a file, stopped', livesOf, 'stop'],
  ['a file, killed', livesOf, 'crash'],
  ['a log, stopped', replicatedLives(new Random(5)), 'stop'],
  ['a log, killed', replicatedLives(new Random(6)), 'crash'],
] as const;

describe.each(KINDS)('with %s', (_kind, lived, how) => {
  function world(run: (value: unknown, context: TaskContext) => unknown = (value) => value) {
    const clock = new VirtualClock();
    replaceGlobals(clock);
    const starts: number[] = [];
    const call = (value: unknown, context: TaskContext): unknown => {
      starts.push(clock.monotonic());
      return run(value, context);
    };
    const ports = { ...systemPorts, clock, random: seededRandom(1), uniqueId: countedIds() };
    const lives = lived({ call, other: (value) => value }, { ports }, (work) => clock.finish(work));
    const begin = async (): Promise<Life> => {
      const life = await lives.begin();
      await clock.settle();
      return life;
    };
    const create = (host: LocalHost, stage: Partial<StageDefinitionInput>) =>
      clock.finish(host.create({ id: 'p', stages: [{ name: 'S', workers: 20, tasks: ['call', 'other'], ...stage }] }));
    const feed = async (host: LocalHost, count: number): Promise<void> => {
      await clock.finish(
        host.get('p').feed(
          Array.from({ length: count }, () => 1),
          {},
        ),
      );
      await clock.settle();
    };
    const mostIn = (windowMs: number): number =>
      Math.max(...starts.map((at) => starts.filter((other) => other >= at && other < at + windowMs).length));
    return { clock, starts, begin, create, feed, mostIn };
  }

  it('a rate of a stage is never exceeded, however often it begins anew', async () => {
    const { clock, starts, begin, create, feed, mostIn } = world();
    let life = await begin();
    await create(life.host, { taskRateLimits: { call: { limit: 10, perSeconds: 60 } } });
    await feed(life.host, 45);
    expect(starts).toHaveLength(10);
    for (let restarts = 0; restarts < 3; restarts++) {
      await life[how]();
      await clock.advance(10 * SECOND);
      life = await begin();
      expect(starts).toHaveLength(10);
    }
    const waitingFor = async () => {
      const { rows } = await life.host.get('p').items({ limit: 100, include: [] } as never);
      const [waiting] = rows.filter(({ status }) => status === 'in_progress');
      return (await life.host.get('p').item(waiting?.id as string)).waitingFor;
    };
    const told = await waitingFor();
    expect(told).toMatchObject({ reason: 'rate-limit', task: 'call', until: expect.any(String) });
    await clock.advance(29 * SECOND);
    expect(starts).toHaveLength(10);
    // A 64th of the window late at most.
    await clock.advance(3 * SECOND);
    expect(starts).toHaveLength(20);
    await life[how]();
    life = await begin();
    await clock.advance(600 * SECOND);
    expect(starts).toHaveLength(45);
    expect(mostIn(60 * SECOND)).toBe(10);
    await life.stop();
  });

  it('a rate holds when starts of before and of now share a window', async () => {
    const { clock, starts, begin, create, feed, mostIn } = world();
    const random = seededRandom(3);
    let life = await begin();
    await create(life.host, { taskRateLimits: { call: { limit: 7, perSeconds: 20 } } });
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 3; i++) {
        await feed(life.host, Math.ceil(random() * 4));
        await clock.advance(random() * 6 * SECOND);
      }
      await life[how]();
      life = await begin();
    }
    const fed = (await life.host.get('p').stats()).itemsProcessed + (await life.host.get('p').stats()).itemsInFlight;
    await clock.advance(3600 * SECOND);
    expect(starts).toHaveLength(fed);
    expect(mostIn(20 * SECOND)).toBe(7);
    await life.stop();
  });

  it('a rate that is set by hand holds as well, and one that is raised lets more go', async () => {
    const { clock, starts, begin, create, feed } = world();
    let life = await begin();
    await create(life.host, {});
    await clock.finish(life.host.get('p').tune('S', { taskRateLimits: { call: { limit: 2, perSeconds: 60 } } }));
    await feed(life.host, 9);
    expect(starts).toHaveLength(2);
    await life[how]();
    life = await begin();
    await clock.advance(1 * SECOND);
    expect(starts).toHaveLength(2);
    await clock.finish(life.host.get('p').tune('S', { taskRateLimits: { call: { limit: 5, perSeconds: 60 } } }));
    await clock.settle();
    expect(starts).toHaveLength(5);
    await life.stop();
    expect(clock.pending).toBe(0);
  });

  it('workers go on with what they have done, those that come later as well', async () => {
    const { clock, begin, create, feed } = world((value) => new Promise((resolve) => globalThis.setTimeout(() => resolve(value), 250)));
    let life = await begin();
    await create(life.host, { workers: 3 });
    await feed(life.host, 30);
    await clock.advance(60 * SECOND);
    const before = await life.host.get('p').workerMetrics();
    expect(before['S-W0']).toMatchObject({ itemsProcessed: 10, totalProcessingTimeSeconds: 2.5, avgProcessingTimeSeconds: 0.25 });
    await life[how]();
    life = await begin();
    expect(await life.host.get('p').workerMetrics()).toEqual(before);
    await feed(life.host, 3);
    await clock.advance(60 * SECOND);
    expect((await life.host.get('p').workerMetrics())['S-W2']).toMatchObject({ itemsProcessed: 11, itemsFailed: 0 });
    await life.stop();
  });
});

describe('workers that are killed at work', () => {
  it('lose five seconds at most of what they have done', async () => {
    const clock = new VirtualClock();
    replaceGlobals(clock);
    const call = (value: unknown) => new Promise((resolve) => void clock.setTimer(() => resolve(value), SECOND));
    const lives = livesOf({ call }, { ports: { ...systemPorts, clock } }, (work) => clock.finish(work));
    let life = await lives.begin();
    await clock.finish(life.host.create({ id: 'p', stages: [{ name: 'S', workers: 1, tasks: ['call'] }] }));
    await clock.finish(
      life.host.get('p').feed(
        Array.from({ length: 100 }, () => 1),
        {},
      ),
    );
    await clock.advance(33.5 * SECOND);
    expect(await life.host.get('p').workerMetrics()).toMatchObject({ 'S-W0': { itemsProcessed: 33 } });
    await life.crash();
    life = await lives.begin();
    const { itemsProcessed } = (await life.host.get('p').workerMetrics())['S-W0'] as { itemsProcessed: number };
    expect(itemsProcessed).toBeGreaterThanOrEqual(28);
    expect(itemsProcessed).toBeLessThanOrEqual(33);
    await life.crash();
  });
});
