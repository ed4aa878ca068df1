import { describe, expect, it } from 'vitest';
import type { LocalHost, PipelineRuntime } from '../../src/engine/index.ts';
import { ended, eventsOf, named, until } from '../conformance/world.ts';
import { livesOf } from './durable-host.ts';

const LIMIT = { count: 3, withinSeconds: 60 };
const REASON = '3 items failed within 60 s, the last one with Error: no';

function fails(): never {
  throw Object.assign(new Error('no'), { permanent: true });
}

const ids = (count: number) => named(...Array.from({ length: count }, (_, i) => `i${i + 1}`));

async function pausesOf(p: PipelineRuntime) {
  const { state, pausedStages, pausedReasons, itemsFailed, itemsInFlight } = await p.describe();
  return { state, pausedStages, pausedReasons, itemsFailed, itemsInFlight };
}

describe('a stage that has paused itself', () => {
  it.each(['crash', 'stop'] as const)('is paused for the same reason after a %s, until it is resumed', async (how) => {
    const runs: unknown[] = [];
    const lives = livesOf({
      fails: (value: unknown) => {
        runs.push(value);
        fails();
      },
    });
    const first = await lives.begin();
    await first.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['fails'], pauseAfterFailures: LIMIT }] });
    await first.host.get('p').feed(ids(10), {});
    await ended(first.host.get('p'), 3);
    const before = await pausesOf(first.host.get('p'));
    expect(before).toEqual({ state: 'running', pausedStages: ['A'], pausedReasons: { A: REASON }, itemsFailed: 3, itemsInFlight: 7 });
    await first[how]();

    const second = await lives.begin();
    const p = second.host.get('p');
    expect(await pausesOf(p)).toEqual(before);
    expect(runs).toHaveLength(3);
    expect(eventsOf(p, { types: new Set(['pipeline']) }).map(({ data }) => data)).toContainEqual(
      expect.objectContaining({ change: 'stage-paused', stage: 'A', reason: REASON }),
    );
    await p.resumeStage('A');
    await ended(p, 6);
    expect(await pausesOf(p)).toEqual({ ...before, itemsFailed: 6, itemsInFlight: 4 });
    await p.resumeStage('A');
    await ended(p, 9);
    await p.resumeStage('A');
    await ended(p, 10);
    await second[how]();
    const last = await lives.begin();
    expect(await pausesOf(last.host.get('p'))).toMatchObject({ pausedStages: [], pausedReasons: {}, itemsFailed: 10 });
  });

  it('keeps its reason under another name', async () => {
    const lives = livesOf({ fails });
    const first = await lives.begin();
    const stage = (name: string) => ({ id: 'p', stages: [{ name, tasks: ['fails'], pauseAfterFailures: LIMIT }] });
    await first.host.create(stage('A'));
    await first.host.get('p').feed(ids(4), {});
    await ended(first.host.get('p'), 3);
    await first.host.put('p', stage('B'));
    await first.crash();
    const second = await lives.begin();
    const { pausedStages, pausedReasons } = await pausesOf(second.host.get('p'));
    expect(pausedStages).toEqual(['B']);
    expect(Object.entries(pausedReasons)).toEqual([['B', REASON]]);
    await second.host.get('p').resumeStage('B');
    await second.host.get('p').pauseStage('B');
    await second.crash();
    const last = await lives.begin();
    expect(await pausesOf(last.host.get('p'))).toMatchObject({ pausedStages: ['B'], pausedReasons: {} });
  });

  it('while the process ends is paused after the next start', async () => {
    const held = Promise.withResolvers<never>();
    let begun = 0;
    const lives = livesOf({
      held: () => {
        begun++;
        return held.promise;
      },
    });
    const first = await lives.begin();
    await first.host.create({
      id: 'p',
      stages: [{ name: 'A', tasks: ['held'], workers: 5, taskAttempts: 1, pauseAfterFailures: LIMIT }],
    });
    const before: PipelineRuntime = first.host.get('p');
    await before.feed(ids(8), {});
    // A worker has its item before the task is called; one that was not is taken back, and does not fail here.
    await until(before, async () => begun === 5);
    const ending = (first.host as LocalHost).shutdown('graceful', 30);
    held.reject(new Error('no'));
    await ending;
    await first.stop();
    const second = await lives.begin();
    expect(await pausesOf(second.host.get('p'))).toEqual({
      state: 'running',
      pausedStages: ['A'],
      pausedReasons: { A: REASON },
      itemsFailed: 5,
      itemsInFlight: 3,
    });
  });
});
