/** What is told of the past is what happened, bucket by bucket, also of a past that ended with a process. */
import { describe, expect, it } from 'vitest';
import type { LocalHostOptions, PipelineRuntime } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { PipelineHistory } from '../../src/schemas/history.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { named } from '../conformance/world.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A service whose only task takes a second, or fails after one. */
async function service(options: Partial<LocalHostOptions> = {}) {
  const clock = new VirtualClock();
  const second = (value: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      clock.setTimer(() => (value === 'bad' ? reject(new Error('it is bad')) : resolve(value)), SECOND);
    });
  const lives = livesOf(
    { second },
    { keepsHistory: true, ports: { ...systemPorts, clock, uniqueId: countedIds('e-') }, ...options },
    (work) => clock.finish(work),
  );
  const life = await lives.begin();
  const stages = [{ name: 'Only', workers: 2, tasks: ['second'], taskAttempts: 1, stageAttempts: 1 }];
  await clock.finish(life.host.create({ id: 'p', stages }));
  const feed = (p: PipelineRuntime, count: number, value = 'good') => clock.finish(p.feed(Array(count).fill(value), {}));
  return { clock, lives, life, p: life.host.get('p'), feed };
}

type Bucket = PipelineHistory['stages'][string][number];
const bucketsOf = ({ stages }: PipelineHistory, stage = 'Only'): Bucket[] => stages[stage] ?? [];
const sum = (buckets: Bucket[], what: 'in' | 'out' | 'failed' | 'retried'): number =>
  buckets.reduce((total, bucket) => total + bucket[what], 0);

describe('history', () => {
  it('has in each bucket what happened in it, and how things stood at its end', async () => {
    const { clock, p, feed } = await service();
    await clock.advance(10 * SECOND);
    await feed(p, 40);
    await feed(p, 2, 'bad');
    await clock.advance(30 * SECOND);
    const { from, bucketSeconds, stages } = await p.history({ seconds: 30, points: 100 });
    expect(bucketSeconds).toBe(5);
    const buckets = bucketsOf({ from, bucketSeconds, stages });
    expect(buckets[0]?.at).toBe(from);
    expect(buckets.map(({ at }, i) => (i === 0 ? 5000 : Date.parse(at) - Date.parse(buckets[i - 1]?.at as string)))).toEqual(
      buckets.map(() => 5000),
    );
    // Two workers, a second an item: 42 items take 21 s.
    expect([sum(buckets, 'in'), sum(buckets, 'out'), sum(buckets, 'failed'), sum(buckets, 'retried')]).toEqual([42, 40, 2, 0]);
    expect(Math.max(...buckets.map((bucket) => bucket.out))).toBeLessThanOrEqual(11);
    const busy = buckets.filter(({ queue }) => queue > 0);
    expect(busy.map(({ running, limited, blocked, idle }) => [running, limited, blocked, idle])).toEqual(busy.map(() => [2, 0, 0, 0]));
    for (const { runSeconds } of busy.slice(1)) {
      expect(runSeconds.p50).toBeCloseTo(1, 1);
      expect(runSeconds.p90).toBeCloseTo(1, 1);
    }
    const last = buckets.at(-1) as Bucket;
    expect(last).toMatchObject({ in: 0, out: 0, queue: 0, running: 0, idle: 2, waitSeconds: { p50: null }, runSeconds: { p50: null } });
    // Whoever came last waited for ten rounds and more.
    expect(Math.max(...buckets.map(({ waitSeconds }) => waitSeconds.p90 ?? 0))).toBeGreaterThan(15);
  });

  it('adds up to the same in whatever buckets it is asked for', async () => {
    const { clock, p, feed } = await service();
    for (let i = 0; i < 10; i++) {
      await feed(p, 7);
      await clock.advance(37 * SECOND);
    }
    await clock.advance(30 * SECOND);
    for (const points of [1, 3, 7, 40, 200, 720]) {
      const history = await p.history({ seconds: 3600, points });
      const buckets = bucketsOf(history);
      expect(buckets.length).toBeLessThanOrEqual(points);
      expect([points, sum(buckets, 'in'), sum(buckets, 'out')]).toEqual([points, 70, 70]);
      expect((history.bucketSeconds * 1000) % 5000).toBe(0);
    }
  });

  it('carries on what does not change, and takes no room for it', async () => {
    const { clock, p, feed } = await service();
    await clock.finish(p.pause());
    await feed(p, 5);
    await clock.advance(90 * MINUTE);
    const buckets = bucketsOf(await p.history({ seconds: 3600, points: 720 }));
    expect(buckets).toHaveLength(720);
    expect(new Set(buckets.map(({ queue }) => queue))).toEqual(new Set([5]));
    expect((p as unknown as { series: { size: number } }).series.size).toBeLessThan(10);
  });

  it('goes further back than an hour in buckets of five minutes', async () => {
    const { clock, p, feed } = await service();
    for (let i = 0; i < 8; i++) {
      await feed(p, 100);
      await clock.advance(15 * MINUTE);
    }
    const day = await p.history({ seconds: 86_400, points: 2016 });
    expect(day.bucketSeconds).toBe(300);
    expect(sum(bucketsOf(day), 'out')).toBe(800);
    expect(bucketsOf(day).filter(({ out }) => out > 0)).toHaveLength(8);
    const hour = await p.history({ seconds: 3600, points: 720 });
    expect(sum(bucketsOf(hour), 'out')).toBe(400);
  });

  it('outlasts a restart, and what is measured before and after it is not counted twice', async () => {
    const { clock, lives, life, p, feed } = await service();
    await feed(p, 100);
    await clock.advance(20 * MINUTE + 2 * SECOND);
    await feed(p, 6);
    await clock.advance(4 * SECOND);
    await life.stop();
    const next = (await lives.begin()).host.get('p');
    await feed(next, 4);
    await clock.advance(6 * MINUTE);
    const fine = bucketsOf(await next.history({ seconds: 3600, points: 720 }));
    expect([sum(fine, 'in'), sum(fine, 'out')]).toEqual([110, 110]);
    const coarse = bucketsOf(await next.history({ seconds: 86_400, points: 2016 }));
    expect([sum(coarse, 'in'), sum(coarse, 'out')]).toEqual([110, 110]);
    expect(audit(lives.file()).faults).toEqual([]);
  });

  it('loses at most the last minute of the fine buckets, and five minutes of the others, by a crash', async () => {
    const { clock, lives, life, p, feed } = await service();
    for (let i = 0; i < 12; i++) {
      await feed(p, 10);
      await clock.advance(MINUTE);
    }
    const before = bucketsOf(await p.history({ seconds: 3600, points: 720 }));
    expect(sum(before, 'out')).toBe(120);
    await life.crash();
    const next = (await lives.begin()).host.get('p');
    const fine = bucketsOf(await next.history({ seconds: 3600, points: 720 }));
    const lost = 120 - sum(fine, 'out');
    expect(lost).toBeGreaterThanOrEqual(0);
    expect(lost).toBeLessThanOrEqual(20);
    const coarse = 120 - sum(bucketsOf(await next.history({ seconds: 86_400, points: 2016 })), 'out');
    expect(coarse).toBeLessThanOrEqual(50);
    // And what is left is as it was.
    const kept = new Map(before.map((bucket) => [bucket.at, bucket]));
    for (const bucket of fine.filter(({ out }) => out > 0)) expect(bucket).toEqual(kept.get(bucket.at));
  });

  it('is kept in chunks that go when nobody can ask for them any more', async () => {
    const { clock, lives, p, feed } = await service();
    for (let i = 0; i < 6; i++) {
      await feed(p, 1);
      await clock.advance(HOUR);
    }
    const store = await openSqliteStore({ file: await copied(lives.file()), inProcess: true });
    const names = Object.keys(store.facts('history '));
    await store.close();
    const fine = names.filter((name) => name.split(' ')[2] === '0');
    // An hour of them, and what was the newest when the last was written.
    expect(fine.length).toBeLessThanOrEqual(4);
    expect(names.length).toBeGreaterThanOrEqual(6);
  });

  it('of a pipeline that is removed goes with it', async () => {
    const { clock, lives, life, p, feed } = await service();
    await feed(p, 10);
    await clock.advance(12 * MINUTE);
    const names = async (): Promise<string[]> => {
      const store = await openSqliteStore({ file: await copied(lives.file()), inProcess: true });
      const found = Object.keys(store.facts('history '));
      await store.close();
      return found;
    };
    expect((await names()).length).toBeGreaterThan(0);
    await clock.finish(life.host.remove('p', 'force'));
    await clock.advance(SECOND);
    expect(await names()).toEqual([]);
  });

  it('of all pipelines together is bounded: the oldest goes first', async () => {
    const { clock, p, feed } = await service({ historyPoints: 20 });
    for (let i = 0; i < 30; i++) {
      await feed(p, 3);
      await clock.advance(10 * SECOND);
    }
    expect((p as unknown as { series: { size: number } }).series.size).toBeLessThanOrEqual(20);
    const buckets = bucketsOf(await p.history({ seconds: 300, points: 60 }));
    expect(sum(buckets.slice(-6), 'out')).toBeGreaterThanOrEqual(6);
    expect(sum(buckets, 'out')).toBeLessThan(90);
  });

  it('survives a clock that is set', async () => {
    const { clock, p, feed } = await service();
    await feed(p, 10);
    await clock.advance(MINUTE);
    clock.setWallBy(-30 * SECOND);
    await feed(p, 10);
    await clock.advance(MINUTE);
    clock.setWallBy(10 * MINUTE);
    await feed(p, 10);
    await clock.advance(MINUTE);
    const buckets = bucketsOf(await p.history({ seconds: 3600, points: 720 }));
    expect(sum(buckets, 'out')).toBe(30);
    expect(buckets.map(({ at }) => at)).toEqual(buckets.map(({ at }) => at).sort());
  });

  it('shows a removed stage as long as it has a past, and a new one from its beginning', async () => {
    const { clock, life, p, feed } = await service();
    await feed(p, 4);
    await clock.advance(20 * SECOND);
    await clock.finish(life.host.put('p', { stages: [{ name: 'Other', tasks: ['second', 'second'] }] }));
    await clock.finish(p.feed(named('x', 'y'), {}));
    await clock.advance(20 * SECOND);
    const { stages } = await p.history({ seconds: 60, points: 12 });
    expect(sum(stages.Only as Bucket[], 'out')).toBe(4);
    expect(sum(stages.Other as Bucket[], 'out')).toBe(2);
    expect((stages.Other as Bucket[]).length).toBeLessThan((stages.Only as Bucket[]).length);
  });

  it.each(['stop', 'crash'] as const)(
    'of a stage that gets other names goes on under the newest, also after a restart (%s)',
    async (how) => {
      const { clock, lives, life: first, feed } = await service();
      let life = first;
      const read = async () => {
        const p = life.host.get('p');
        const all = await Promise.all([60, 3 * 3600].map((seconds) => clock.finish(p.history({ seconds, points: 1000 }))));
        return all.map(({ stages }) => Object.fromEntries(Object.entries(stages).map(([name, buckets]) => [name, sum(buckets, 'out')])));
      };
      const rename = (name: string) =>
        clock.finish(life.host.put('p', { stages: [{ name, workers: 2, tasks: ['second'], taskAttempts: 1, stageAttempts: 1 }] }));
      // Enough for a bucket of five minutes.
      await feed(life.host.get('p'), 4);
      await clock.advance(6 * MINUTE);
      await feed(life.host.get('p'), 2);
      await clock.advance(20 * SECOND);
      await rename('Second');
      expect(await read()).toEqual([{ Second: 2 }, { Second: 4 }]);
      await feed(life.host.get('p'), 3);
      await clock.advance(10 * SECOND);
      expect((await read())[0]).toEqual({ Second: 5 });
      await life[how]();
      life = await lives.begin({ keepsHistory: true });
      // Before the past is read from the store.
      await rename('Third');
      await feed(life.host.get('p'), 1);
      await clock.advance(10 * SECOND);
      expect((await read())[0]).toEqual({ Third: how === 'stop' ? 6 : expect.any(Number) });
      await clock.advance(6 * MINUTE);
      expect((await read())[1]).toEqual({ Third: how === 'stop' ? 10 : expect.any(Number) });
      await life.stop();
      life = await lives.begin({ keepsHistory: true });
      expect((await read())[1]).toEqual({ Third: how === 'stop' ? 10 : expect.any(Number) });
    },
  );
});

/** The files of a store as they are now, beside the process that has them. */
async function copied(file: string): Promise<string> {
  const { copyFileSync, existsSync } = await import('node:fs');
  const to = `${file}.copy-${copies++}`;
  for (const suffix of ['', '-wal']) if (existsSync(file + suffix)) copyFileSync(file + suffix, to + suffix);
  return to;
}
let copies = 0;
