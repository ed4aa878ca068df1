/** What a restart knows: each thing that has to survive one, after a crash and after a graceful stop. */
import { describe, expect, it } from 'vitest';
import type { PipelineRuntime, SluiceEvent, TaskContext, TaskHandler } from '../../src/engine/index.ts';
import type { PipelineStats } from '../../src/schemas/stats.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { ended, eventsOf, idsOf, inTime, named, reaches } from '../conformance/world.ts';
import { createGate } from '../engine/harness.ts';
import { type Life, livesOf } from './durable-host.ts';

const EVERYTHING = { after: 0, limit: 1000 };
const NEVER = 3600;
const pass = (value: unknown): unknown => value;
const broken = (): never => {
  throw new RangeError('broken');
};

/** Durations are kept so exactly. */
function inMicroseconds({ data, ...event }: SluiceEvent) {
  const seconds = 'durationSeconds' in data ? data.durationSeconds : null;
  return { ...event, data: { ...data, durationSeconds: seconds === null ? null : Math.round(seconds * 1e6) } };
}

/** What is stored of the statistics of stages; measures begin anew. */
function countersOf({ stageStats }: PipelineStats): object {
  return Object.fromEntries(
    Object.entries(stageStats).map(([name, { ratePerSecond, waitSeconds, runSeconds, oldestItemAgeSeconds, workers, ...counters }]) => [
      name,
      counters,
    ]),
  );
}

describe.each(['crash', 'stop'] as const)('after a %s', (how) => {
  const restart = async (life: Life, lives: ReturnType<typeof livesOf>, options = {}): Promise<{ next: Life; p: PipelineRuntime }> => {
    await life[how]();
    expect(audit(lives.file()).faults).toEqual([]);
    const next = await lives.begin(options);
    return { next, p: next.host.get('p') };
  };

  it('a pipeline made over the API is there, with its pause, its tuning and its paused stages', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({
      id: 'p',
      description: 'kept',
      stages: [
        { name: 'A', tasks: ['pass'] },
        { name: 'B', tasks: ['pass'] },
      ],
    });
    const before = life.host.get('p');
    await before.tune('A', { workers: 7, taskConcurrencyLimits: { pass: 3 } });
    await before.pauseStage('B');
    await before.pause();
    const { p, next } = await restart(life, lives);
    expect(await p.describe()).toMatchObject({
      state: 'paused',
      definition: { description: 'kept' },
      pausedStages: ['B'],
      overrides: { A: { workers: 7, taskConcurrencyLimits: { pass: 3 } } },
    });
    expect((await p.workerNames()).A).toHaveLength(7);
    await next.host.remove('p', 'force');
    await next[how]();
    const last = await lives.begin();
    expect(await last.host.list()).toEqual([]);
  });

  it('queued items go on in their order, with their values, metadata and priorities', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] }, { start: false });
    const before = life.host.get('p');
    await before.feed([{ id: 'late', value: { deep: [1, null, 'é'] }, customer: 'c' }, ...named('b', 'c')], { feedId: 'f' });
    await before.feed(named('urgent'), { priority: 1 });
    for (const value of [null, 0, '', false]) await before.feed([{ id: `v${JSON.stringify(value)}`, value }], {});
    const { p } = await restart(life, lives);
    expect(await p.item('late')).toMatchObject({
      value: { deep: [1, null, 'é'] },
      metadata: { customer: 'c' },
      feedId: 'f',
      priority: 100,
    });
    await p.start();
    await ended(p, 8);
    expect(idsOf(p, 'in_progress')).toEqual(['urgent', 'late', 'b', 'c', 'vnull', 'v0', 'v""', 'vfalse']);
    const { rows } = await p.results({ ...EVERYTHING, status: 'completed' });
    expect(rows.map(({ value }) => value).slice(-4)).toEqual([null, 0, '', false]);
    expect(await p.feedView('f')).toMatchObject({ total: 3, completed: 3, done: true });
  });

  it('a parked retry keeps its attempts, its instant, and the value before its task', async () => {
    const attempts: number[] = [];
    const lives = livesOf({
      double: (value: number) => value * 2,
      flaky: (value: unknown, { attempt }: TaskContext) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error('again');
        return value;
      },
    });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['double', 'flaky'], taskWaitSeconds: NEVER, taskAttempts: 3 }] });
    const before = life.host.get('p');
    await before.feed([{ id: 'x', value: 21 }], {});
    await reaches(before, 'x', 'retrying');
    const { waitingFor } = await before.item('x');
    const { p, next } = await restart(life, lives);
    expect(await p.item('x')).toMatchObject({
      ...{ status: 'retrying', value: 42, attempts: 1, totalAttempts: 2 },
      ...{ error: null, lastError: { type: 'Error', message: 'again', stage: 'A', attempts: 1 } },
    });
    const until = (of: typeof waitingFor): number => Date.parse((of as { until: string }).until);
    expect(Math.abs(until((await p.item('x')).waitingFor) - until(waitingFor))).toBeLessThan(1000);
    expect((await p.stats()).statusCounts).toMatchObject({ retrying: 1 });
    await next.host.put('p', { stages: [{ name: 'A', tasks: ['double', 'flaky'], taskWaitSeconds: 0, taskAttempts: 3 }] });
    expect(attempts).toEqual([1]);
  });

  it('results, failures, counters and errors are there, and a failed item can be retried', async () => {
    let isWell = false;
    const lives = livesOf({ pass, unwell: (value: unknown) => (isWell ? value : broken()) });
    const life = await lives.begin();
    await life.host.create({
      id: 'p',
      stages: [
        { name: 'A', tasks: ['pass'] },
        { name: 'B', tasks: ['unwell'], taskAttempts: 1 },
      ],
    });
    await life.host.get('p').run(
      [
        { id: 'x', value: { v: 1 } },
        { id: 'y', value: 2 },
      ],
      {},
    );
    const stats = await life.host.get('p').stats();
    const errors = await life.host.get('p').errors();
    const { p } = await restart(life, lives);
    const after = await p.stats();
    expect(after).toMatchObject({ itemsFed: 2, itemsFailed: 2, stageStats: countersOf(stats), statusCounts: stats.statusCounts });
    expect(await p.errors()).toEqual(errors);
    expect((await p.results({ ...EVERYTHING, status: 'failed' })).rows.map(({ id, error }) => [id, error?.type])).toEqual([
      ['x', 'RangeError'],
      ['y', 'RangeError'],
    ]);
    isWell = true;
    await p.retryItem('x');
    await ended(p, 2);
    expect(await p.item('x')).toMatchObject({ status: 'completed', value: { v: 1 } });
    expect((await p.stats()).stageStats).toMatchObject({ A: { completedItems: 2 }, B: { completedItems: 1, failedItems: 1 } });
  });

  it('event ids go on, and what is kept is replayed across the restart', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
    await life.host.get('p').run([{ id: 'x', value: 1 }], {});
    const { events } = life.host.get('p');
    const old = eventsOf(life.host.get('p'));
    const { p } = await restart(life, lives);
    expect(p.events.lines.current).toBe(events.lines.current);
    await p.run([{ id: 'y', value: 2 }], {});
    const all = eventsOf(p);
    expect(all.slice(0, old.length).map(inMicroseconds)).toEqual(old.map(inMicroseconds));
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1));
    expect((await p.item('x')).history).toHaveLength(3);
    expect((await p.item('x')).historyTruncated).toBe(false);
  });

  it('an idempotency key gives its first answer, also of a run', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
    const feed = { key: 'k', request: 'feed', body: 'b' };
    const run = { key: 'r', request: 'run', body: 'b' };
    const receipt = await life.host.get('p').feed([1, 2], { idempotency: feed });
    const answer = await life.host.get('p').run([3], { idempotency: run });
    const { p } = await restart(life, lives);
    expect(await p.feed([1, 2], { idempotency: feed })).toEqual({ ...receipt, replayed: true });
    expect(await p.run([3], { idempotency: run })).toEqual({ ...answer, replayed: true });
    await expect(p.feed([1], { idempotency: { ...feed, body: 'other' } })).rejects.toMatchObject({ code: 'idempotency-key-reused' });
    expect((await p.stats()).itemsFed).toBe(3);
    // Generated ids go on, too.
    expect((await p.feed([4], {})).firstSequence).toBe(4);
  });

  it('a feed is still of the key that it was made with, whether it is over or goes on', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
    const before = life.host.get('p');
    await before.run(named('a'), { feedId: 'done', maker: 'ci' });
    await before.pause();
    const writer = await before.openFeed({ feedId: 'open', maker: 'cd' });
    await writer.push(named('b'));
    await before.feed(named('c'), { feedId: 'plain' });
    const { p } = await restart(life, lives);
    expect(await Promise.all(['done', 'open', 'plain'].map((feedId) => p.feedMaker(feedId)))).toEqual(['ci', 'cd', null]);
    expect((await p.feeds({ ...EVERYTHING, maker: 'ci' })).rows.map(({ feedId }) => feedId)).toEqual(['done']);
    const wait = { itemIds: ['a'], returnWhen: 'ALL_COMPLETED', timeoutSeconds: 0 } as const;
    expect((await p.waitForItems({ ...wait, maker: 'ci' })).done).toHaveLength(1);
    await expect(p.waitForItems({ ...wait, maker: 'cd' })).rejects.toMatchObject({ code: 'item-not-found', details: { ids: ['a'] } });
  });

  it('an item has the place in a trace of the request that fed it, of those that appended too', async () => {
    const seen: unknown[] = [];
    const look: TaskHandler = (value: unknown, { itemId, trace }: TaskContext) => {
      seen.push([itemId, trace]);
      return value;
    };
    const trace = (n: number) => ({ traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba9020${n}-01` });
    const lives = livesOf({ look });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['look'] }] }, { start: false });
    const before = life.host.get('p');
    await before.feed(named('a'), { feedId: 'f', trace: { ...trace(1), tracestate: 'v=1,w=2' } });
    await before.feed(named('b'), { feedId: 'f', append: true });
    await before.feed(named('c'), { feedId: 'f', append: true, trace: trace(2) });
    await before.feed(named('d'), {});
    const { p } = await restart(life, lives);
    await p.start();
    await ended(p, 4);
    expect(seen).toEqual([
      ['a', { ...trace(1), tracestate: 'v=1,w=2' }],
      ['b', null],
      ['c', trace(2)],
      ['d', null],
    ]);
  });

  it('the place from which an upload goes on is as it was, with the ids that came again', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
    const before = life.host.get('p');
    await before.feed(named('a'), { feedId: 'f' });
    await before.feed([...named('a'), 'text', ...named('a')], { feedId: 'f', append: true });
    await before.feed(named('a'), { feedId: 'f', append: true });
    await ended(before, 2);
    const { p } = await restart(life, lives);
    expect(await p.feedView('f')).toMatchObject({ total: 2, duplicates: 3 });
    await p.feed([...named('a'), 'rest'], { feedId: 'f', append: true });
    expect(await p.feedView('f')).toMatchObject({ total: 3, duplicates: 4 });
  });

  it('a feed whose upload was cut says so and can be continued, and rejects and known ids are as they were', async () => {
    const lives = livesOf({ pass, broken });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass', 'broken'], taskAttempts: 1 }] });
    const before = life.host.get('p');
    await before.feed(named('whole'), { feedId: 'w' });
    const cut = await before.openFeed({ feedId: 'f' });
    await cut.push([{ id: 'a', value: { n: 1 } }]);
    const open = await before.openFeed({ feedId: 'g' });
    await open.push(named('b'));
    await cut.abort();
    await ended(before, 3);
    const { p } = await restart(life, lives);
    const views = (await p.feeds({ after: 0, limit: 10 })).rows.map(({ feedId, uploadComplete, done }) => [feedId, uploadComplete, done]);
    expect(views).toEqual([
      ['w', true, true],
      ['f', false, true],
      ['g', false, true],
    ]);
    expect(await p.feed(named('a', 'c'), { feedId: 'f', append: true })).toMatchObject({ accepted: 1, duplicates: 1 });
    expect(await p.feedView('f')).toMatchObject({ total: 2, duplicates: 1, uploadComplete: true });
    await ended(p, 4);
    const { results, duplicates } = await p.run([{ id: 'c' }, { id: 'a' }], {});
    expect([duplicates, results.map(({ id, input }) => [id, input])]).toEqual([
      2,
      [
        ['c', 'c'],
        ['a', { n: 1 }],
      ],
    ]);
  });

  it('the same ids again are duplicates, and a stage that was renamed or removed keeps what belongs to it', async () => {
    const lives = livesOf({ pass, broken });
    const life = await lives.begin();
    await life.host.create({
      id: 'p',
      stages: [
        { name: 'A', tasks: ['broken'], taskAttempts: 1 },
        { name: 'B', tasks: ['pass'] },
      ],
    });
    const before = life.host.get('p');
    await before.run(named('x'), {});
    await before.pause();
    await before.feed(named('y'), { targetStage: 'B' });
    await life.host.put('p', { stages: [{ name: 'Second', tasks: ['pass'] }] });
    const { p } = await restart(life, lives);
    expect(await p.feed(named('x', 'y'), {})).toMatchObject({ accepted: 0, duplicates: 2 });
    expect(await p.item('x')).toMatchObject({ status: 'failed', stage: 'A' });
    expect(await p.item('y')).toMatchObject({ stage: 'Second' });
    await p.resume();
    await p.retryItem('x');
    await ended(p, 2);
    expect(await p.item('x')).toMatchObject({ status: 'completed', stage: 'Second' });
  });
});

describe('what was running at a crash', () => {
  it('goes on from its stage, before what waited behind it', async () => {
    const gate = createGate();
    const lives = livesOf({ pass, gated: gate.task });
    const life = await lives.begin();
    await life.host.create({
      id: 'p',
      stages: [
        { name: 'A', tasks: ['pass'] },
        { name: 'B', workers: 2, tasks: ['gated'] },
      ],
    });
    await life.host.get('p').feed(named('a', 'b', 'c', 'd'), {});
    await reaches(life.host.get('p'), 'd', 'queued', 'B');
    await life.crash();
    const next = await lives.begin();
    expect(next.host.storeHealth.recovered).toMatchObject({ pipelines: 1, queued: 2, running: 2 });
    const p = next.host.get('p');
    for (const id of ['a', 'b', 'c', 'd']) {
      await gate.arrived(id);
      gate.open(id);
    }
    await ended(p, 4);
    expect((await p.stats()).stageStats).toMatchObject({ A: { completedItems: 4 }, B: { completedItems: 4 } });
  });

  it('in as many processes as may be ends as PoisonItem, and what waited beside it goes on', async () => {
    const gate = createGate();
    const lives = livesOf({ gated: gate.task }, { maxDeliveries: 3 });
    let life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['gated'] }] });
    await life.host.get('p').feed(named('poison', 'innocent'), {});
    for (let crashes = 1; crashes <= 3; crashes++) {
      // In progress is not enough: a crash counts from the mark on disk, after which the task is called.
      await inTime(async () => gate.begun >= crashes);
      await life.crash();
      life = await lives.begin();
    }
    const p = life.host.get('p');
    expect(await p.item('poison')).toMatchObject({ status: 'failed', error: { type: 'PoisonItem', stage: 'A' } });
    expect(life.host.storeHealth.recovered).toMatchObject({ poisoned: 1 });
    await gate.arrived('innocent');
    gate.open('innocent');
    await ended(p, 2);
    expect(await p.errors()).toMatchObject({ totalFailed: 1, errorsByType: { PoisonItem: 1 } });
  });

  it('is not counted when it was stopped in order', async () => {
    const gate = createGate();
    const lives = livesOf({ gated: gate.task }, { maxDeliveries: 1 });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['gated'] }] });
    await life.host.get('p').feed(named('x'), {});
    await reaches(life.host.get('p'), 'x', 'in_progress');
    await life.host.shutdown('force', 1);
    await life.stop();
    const next = await lives.begin();
    await gate.arrived('x');
    gate.open('x');
    await ended(next.host.get('p'), 1);
    expect(await next.host.get('p').item('x')).toMatchObject({ status: 'completed', attempts: 1 });
  });
});
