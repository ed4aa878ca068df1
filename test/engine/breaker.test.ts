import { describe, expect, it, vi } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { failOne, ids, shown, warnings, withLimit } from './breaker-harness.ts';
import { createGate, eventsOf, expectBooksToBalance, virtualPipeline } from './harness.ts';

describe('pauseAfterFailures', () => {
  it('pauses the stage at the failure that reaches the count, and says why', async () => {
    const made = await withLimit({ count: 3, withinSeconds: 60 });
    await made.pipeline.feed(ids(10));
    await made.clock.settle();
    const reason = '3 items failed within 60 s, the last one with PermanentError: the key has expired';
    expect(await shown(made)).toEqual({ pausedStages: ['A'], pausedReasons: { A: reason }, itemsFailed: 3, itemsInFlight: 7 });
    expect(await made.pipeline.runtime.item('i4')).toMatchObject({ status: 'queued', waitingFor: { reason: 'paused' } });
    const changes = eventsOf(made.pipeline, 'pipeline').map(({ data }) => data);
    expect(changes[0]).not.toHaveProperty('reason');
    expect(changes.slice(1)).toEqual([
      { pipelineId: 'pipeline', change: 'stage-paused', state: 'running', stage: 'A', reason, timestamp: expect.any(String) },
    ]);
    expect(warnings(made.logs)).toEqual([
      {
        level: 'warn',
        fields: {
          pipeline: 'pipeline',
          stage: 'A',
          count: 3,
          withinSeconds: 60,
          error: { type: 'PermanentError', message: 'the key has expired' },
        },
        message: 'the stage is paused: too many of its items have failed',
      },
    ]);
    expectBooksToBalance(made);
  });

  it('follows the failure that it is for', async () => {
    const { pipeline, clock } = await withLimit({ count: 1, withinSeconds: 1 });
    await pipeline.feed(ids(2));
    await clock.settle();
    const told = eventsOf(pipeline, 'status', 'pipeline').map(({ type, data }) => {
      if (type === 'pipeline') return data.change;
      return type === 'status' ? `${data.itemId} ${data.status}` : type;
    });
    expect(told.indexOf('stage-paused')).toBe(told.indexOf('i1 failed') + 1);
    expect(told).not.toContain('i2 in_progress');
    expect((await shown({ pipeline })).pausedReasons.A).toMatch(/^an item failed within 1 s, the last one with /);
  });

  it.each([
    { name: 'counts what is just within the window', gap: 10_000, isPaused: true },
    { name: 'does not count what is just outside it', gap: 10_001, isPaused: false },
  ])('$name', async ({ gap, isPaused }) => {
    const made = await withLimit({ count: 3, withinSeconds: 10 });
    await failOne(made, 1);
    await made.clock.advance(gap - 1);
    await failOne(made, 2);
    await made.clock.advance(1);
    expect(await failOne(made, 3)).toBe(3);
    expect((await shown(made)).pausedStages).toEqual(isPaused ? ['A'] : []);
    // The window slides: the first one is out of it, the other two are not.
    if (!isPaused) await failOne(made, 4);
    expect((await shown(made)).pausedStages).toEqual(['A']);
  });

  it('goes by the clock that nobody sets', async () => {
    const made = await withLimit({ count: 2, withinSeconds: 10 });
    await failOne(made, 1);
    made.clock.setWallBy(3_600_000);
    await made.clock.advance(9_000);
    await failOne(made, 2);
    expect((await shown(made)).pausedStages).toEqual(['A']);
    await made.pipeline.resumeStage('A');
    await failOne(made, 3);
    made.clock.setWallBy(-7_200_000);
    await made.clock.advance(11_000);
    await failOne(made, 4);
    expect((await shown(made)).pausedStages).toEqual([]);
  });

  it.each(['per_task', 'per_stage'] as const)('counts an item when its last attempt has failed (%s)', async (retry) => {
    const fails = vi.fn((): never => {
      throw new RangeError('no');
    });
    const stage = { tasks: [fails], retry, taskAttempts: 3, stageAttempts: 3, taskWaitSeconds: 1, workers: 2 };
    const made = await withLimit({ count: 2, withinSeconds: 60 }, stage);
    await made.pipeline.feed(ids(2));
    await made.clock.advance(1_500);
    expect(fails).toHaveBeenCalledTimes(4);
    expect((await shown(made)).pausedStages).toEqual([]);
    await made.clock.advance(1_000);
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 2 });
    expect((await shown(made)).pausedReasons.A).toBe('2 items failed within 60 s, the last one with RangeError: no');
  });

  it('does not count what is cancelled, skipped or completed', async () => {
    const gate = createGate();
    const made = await withLimit(
      { count: 1, withinSeconds: 60 },
      { tasks: [gate.task], skipIf: (value) => value === 'skip', workers: 4, taskAttempts: 1 },
    );
    await made.pipeline.feed([{ id: 'skipped', value: 'skip' }, ...ids(3)]);
    await made.clock.settle();
    await made.pipeline.runtime.cancelItem('i1');
    gate.open('i2');
    await made.clock.settle();
    expect((await shown(made)).pausedStages).toEqual([]);
    gate.fail('i3', new Error('no'));
    await made.clock.settle();
    expect((await shown(made)).pausedStages).toEqual(['A']);
  });

  it('concerns its stage alone', async () => {
    const odd = (value: number): number => {
      if (value % 2 === 1) throw Object.assign(new Error('odd'), { permanent: true });
      return value;
    };
    const made = virtualPipeline([
      { name: 'A', tasks: [(value: number) => value] },
      { name: 'B', tasks: [odd], pauseAfterFailures: { count: 2, withinSeconds: 60 } },
      { name: 'C', tasks: [odd] },
    ]);
    await made.pipeline.start();
    await made.pipeline.feed([1, 3, 5], { targetStage: 'C' });
    await made.clock.settle();
    expect((await shown(made)).pausedStages).toEqual([]);
    await made.pipeline.feed([2, 1, 4, 3, 6, 8]);
    await made.clock.settle();
    expect(await shown(made)).toMatchObject({ pausedStages: ['B'], itemsFailed: 5, itemsInFlight: 2 });
    expect(made.pipeline.getStats()).toMatchObject({ queueSizes: { A: 0, B: 2, C: 0 }, itemsProcessed: 2 });
  });

  it('begins at none when the stage is resumed, and takes the reason back', async () => {
    const made = await withLimit({ count: 3, withinSeconds: 60 });
    await made.pipeline.feed(ids(10));
    await made.clock.settle();
    await made.pipeline.resumeStage('A');
    await made.clock.settle();
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 6, itemsInFlight: 4 });
    await made.pipeline.pauseStage('A');
    await made.pipeline.tune('A', { workers: 1 });
    await made.pipeline.runtime.cancelItem('i10');
    await made.pipeline.runtime.cancelItem('i9');
    await made.pipeline.resumeStage('A');
    await made.clock.settle();
    expect(await shown(made)).toEqual({ pausedStages: [], pausedReasons: {}, itemsFailed: 8, itemsInFlight: 0 });
  });

  it('an operator’s pause has no reason, and begins a new window too', async () => {
    const made = await withLimit({ count: 2, withinSeconds: 60 });
    await failOne(made, 1);
    await made.pipeline.pauseStage('A');
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], pausedReasons: {} });
    await made.pipeline.resumeStage('A');
    await failOne(made, 2);
    expect((await shown(made)).pausedStages).toEqual([]);
    await failOne(made, 3);
    expect((await shown(made)).pausedStages).toEqual(['A']);
  });

  it('does not count those who were running when it was paused, before or after it is resumed', async () => {
    const gate = createGate();
    const made = await withLimit({ count: 2, withinSeconds: 60 }, { tasks: [gate.task], workers: 6, taskAttempts: 1 });
    await made.pipeline.feed(ids(9));
    await made.clock.settle();
    const fail = async (...names: string[]): Promise<string[]> => {
      for (const name of names) gate.fail(name, new Error(`no ${name}`));
      await made.clock.settle();
      return (await shown(made)).pausedStages;
    };
    expect(await fail('i1', 'i2')).toEqual(['A']);
    expect(await fail('i3', 'i4')).toEqual(['A']);
    expect((await shown(made)).pausedReasons.A).toMatch(/no i2$/);
    await made.pipeline.resumeStage('A');
    await made.clock.settle();
    expect(gate.inside).toEqual(['i5', 'i6', 'i7', 'i8', 'i9']);
    expect(await fail('i5', 'i7', 'i6')).toEqual([]);
    // i7 had begun before the second failure.
    expect(await fail('i8')).toEqual([]);
    expect(await fail('i9')).toEqual(['A']);
    expect(eventsOf(made.pipeline, 'pipeline').filter(({ data }) => 'change' in data && data.change === 'stage-paused')).toHaveLength(2);
  });

  it.each([1, 5, 100])('of 100 workers that fail in one turn, with a count of %i no other item begins', async (count) => {
    const gate = createGate();
    const made = await withLimit({ count, withinSeconds: 60 }, { tasks: [gate.task], workers: 100, taskAttempts: 1 });
    await made.pipeline.feed(ids(100));
    await made.clock.settle();
    await made.pipeline.feed(ids(400, 101));
    for (const name of gate.inside.slice(0, 100)) gate.fail(name, new Error('no'));
    await made.clock.settle();
    // Those that failed before it made room for others.
    expect(gate.begun).toBe(100 + count - 1);
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 100, itemsInFlight: 400 });
    expectBooksToBalance(made);
  });

  it('what a turn has not come to goes back, in its order', async () => {
    const begun: string[] = [];
    const slow = { name: 'slow', run: (_value: unknown, ctx: TaskContext) => begun.push(ctx.itemId) };
    const made = await withLimit(
      { count: 1, withinSeconds: 60 },
      {
        tasks: [
          (value: unknown, ctx: TaskContext) => {
            slow.run(value, ctx);
            made.clock.block(20);
            if (ctx.itemId === 'i2') throw ctx.permanent('no');
          },
        ],
        workers: 50,
      },
    );
    await made.pipeline.feed(ids(200));
    await made.clock.settle();
    expect(begun).toEqual(['i1', 'i2']);
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 1, itemsInFlight: 198 });
    expectBooksToBalance(made);
    await made.pipeline.resumeStage('A');
    await made.clock.settle();
    expect(begun).toEqual(ids(200).map(({ id }) => id));
  });

  it('what only waits for a limit before its first task goes back', async () => {
    const made = await withLimit({ count: 2, withinSeconds: 60 }, { workers: 10, taskConcurrencyLimits: { refuse: 1 }, taskAttempts: 1 });
    await made.pipeline.feed(ids(30));
    await made.clock.settle();
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 2, itemsInFlight: 28 });
    expect(await made.pipeline.runtime.item('i3')).toMatchObject({ status: 'queued', attempts: 0 });
    expectBooksToBalance(made);
    await made.pipeline.resumeStage('A');
    await made.clock.settle();
    expect((await made.pipeline.runtime.item('i4')).status).toBe('failed');
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 4 });
  });

  it('takes back what a forced shutdown was about to abort, when it pauses the stage itself', async () => {
    // The first has failed, which its hook was told and is waited for; the second waits for the rate.
    const stage = { workers: 2, taskRateLimits: { refuse: { limit: 1, perSeconds: 3600 } }, onFailure: () => new Promise(() => undefined) };
    const made = await withLimit({ count: 1, withinSeconds: 60 }, stage);
    await made.pipeline.feed(ids(2));
    await made.clock.settle();
    expect(await made.clock.finish(made.pipeline.shutdown('force'))).toMatchObject({ mode: 'force', leftQueued: 1, aborted: 0 });
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 1, itemsInFlight: 1 });
    expect(await made.pipeline.runtime.item('i2')).toMatchObject({ status: 'queued', attempts: 0 });
  });

  it('counts what an operator retries', async () => {
    const made = await withLimit({ count: 2, withinSeconds: 60 });
    await failOne(made, 1);
    await made.pipeline.runtime.retryItem('i1');
    await made.clock.settle();
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 1 });
    await made.pipeline.runtime.retryItem('i1');
    await made.clock.settle();
    expect(await made.pipeline.runtime.item('i1')).toMatchObject({ status: 'queued', waitingFor: { reason: 'paused' } });
  });

  it('lets a pipeline drain, and a paused stage does not keep it from that', async () => {
    const made = await withLimit({ count: 2, withinSeconds: 60 });
    await made.pipeline.feed(ids(10));
    await made.clock.settle();
    expect((await shown(made)).pausedStages).toEqual(['A']);
    await made.clock.finish(made.pipeline.join());
    expect(made.pipeline.state).toBe('stopped');
    expect(await shown(made)).toEqual({ pausedStages: [], pausedReasons: {}, itemsFailed: 10, itemsInFlight: 0 });
    await made.pipeline.start();
    await failOne(made, 11);
    expect((await shown(made)).pausedStages).toEqual([]);
  });

  it('counts while the pipeline is paused, and no longer than the limit stands', async () => {
    const gate = createGate();
    const made = await withLimit({ count: 2, withinSeconds: 60 }, { tasks: [gate.task], workers: 3, taskAttempts: 1 });
    await made.pipeline.feed(ids(3));
    await made.clock.settle();
    await made.pipeline.pause();
    gate.fail('i1', new Error('no'));
    gate.fail('i2', new Error('no'));
    await made.clock.settle();
    await made.pipeline.resume();
    expect((await shown(made)).pausedStages).toEqual(['A']);
  });

  it('tells a long error shortened', async () => {
    const made = await withLimit(
      { count: 1, withinSeconds: 0.5 },
      { tasks: [(_value: unknown, ctx: TaskContext) => Promise.reject(ctx.permanent('x'.repeat(5_000)))] },
    );
    await failOne(made, 1);
    const { pausedReasons } = await shown(made);
    expect(pausedReasons.A).toMatch(/^an item failed within 0.5 s, the last one with PermanentError: x+$/);
    expect(pausedReasons.A).toHaveLength(1_000);
  });
});
