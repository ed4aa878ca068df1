import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { createGate, eventsOf, expectBooksToBalance, historyOf, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;

describe('cancelling an item', () => {
  it('takes a queued one out of its queue', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    expect(await pipeline.runtime.cancelItem('b')).toMatchObject({
      status: 'cancelled',
      error: { type: 'Cancelled', stage: 'A', attempts: 0 },
    });
    expectBooksToBalance({ pipeline });
    gate.open();
    await clock.settle();
    expect(gate.inside).toEqual(['c']);
    expect(await historyOf(pipeline, 'b')).toEqual(['A:queued', 'A:cancelled']);
  });

  it('frees its place in the backlog', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 1 });
    await pipeline.start();
    await pipeline.feed([{ id: 'running' }, { id: 'queued' }]);
    let accepted = false;
    const feeding = pipeline.feed([{ id: 'next' }]).then(() => {
      accepted = true;
    });
    await clock.settle();
    expect(accepted).toBe(false);
    await pipeline.runtime.cancelItem('queued');
    await feeding;
    gate.open();
    await clock.settle();
    expect(gate.inside).toEqual(['next']);
  });

  it('works for thousands of queued ones, and none of them ever runs', async () => {
    const gate = createGate();
    const ran: string[] = [];
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [gate.task, (_value: unknown, ctx: TaskContext) => void ran.push(ctx.itemId)] },
    ]);
    await pipeline.start();
    const ids = Array.from({ length: 4_000 }, (_, i) => `i${i}`);
    await pipeline.feed(ids.map((id) => ({ id })));
    for (const id of ids.slice(1, -1)) await pipeline.runtime.cancelItem(id);
    expectBooksToBalance({ pipeline });
    const joined = pipeline.join();
    gate.open();
    await clock.settle();
    expect(gate.inside).toEqual(['i3999']);
    gate.open();
    await joined;
    expect(ran).toEqual(['i0', 'i3999']);
    expectBooksToBalance({ pipeline });
  });

  it('aborts a running one and frees its worker at once, though the handler goes on', async () => {
    const gate = createGate();
    let aborted: unknown;
    const stubborn = (value: unknown, ctx: TaskContext) => {
      ctx.signal.addEventListener('abort', () => {
        aborted = ctx.signal.reason;
      });
      return gate.task(value, { itemId: ctx.itemId, signal: new AbortController().signal });
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [stubborn] }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }, { id: 'b' }]);
    await pipeline.runtime.cancelItem('a');
    expect(aborted).toMatchObject({ name: 'AbortedError' });
    expect(gate.inside).toEqual(['a', 'b']);
    expect(pipeline.getStats()).toMatchObject({ handlersIgnoringSignal: 1, itemsCancelled: 1 });
    gate.open('a', 'too late');
    await clock.settle();
    expect(await pipeline.runtime.item('a')).toMatchObject({ status: 'cancelled' });
    expect(pipeline.getStats().handlersIgnoringSignal).toBe(0);
    gate.open('b');
    await clock.settle();
    expect(pipeline.results.map(({ id }) => id)).toEqual(['b']);
    expectBooksToBalance({ pipeline });
  });

  it('ends one that waits between two attempts, and leaves no timer', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [() => Promise.reject(new Error('no'))] }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }]);
    await clock.settle();
    expect(await pipeline.runtime.item('a')).toMatchObject({ status: 'retrying', waitingFor: { reason: 'retry' } });
    await pipeline.runtime.cancelItem('a');
    await clock.settle();
    expect(clock.pending).toBe(0);
    expect(await historyOf(pipeline, 'a')).toEqual(['A:queued', 'A:in_progress', 'A:retrying', 'A:cancelled']);
    expectBooksToBalance({ pipeline });
  });

  it('ends one that waits for room in the next stage, and frees its worker', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [passOn] },
      { name: 'B', tasks: [gate.task], queueCapacity: 1 },
    ]);
    await pipeline.start();
    await pipeline.feed(['runs', 'waits', 'blocked', 'queued'].map((id) => ({ id })));
    expect(await pipeline.runtime.item('blocked')).toMatchObject({ stage: 'A', waitingFor: { reason: 'next-stage-full', stage: 'B' } });
    await pipeline.runtime.cancelItem('blocked');
    expect(await pipeline.runtime.item('queued')).toMatchObject({ stage: 'A', waitingFor: { reason: 'next-stage-full' } });
    expectBooksToBalance({ pipeline });
    gate.open();
    await clock.settle();
    gate.open();
    await clock.settle();
    gate.open();
    await clock.settle();
    expect(pipeline.results.map(({ id }) => id)).toEqual(['runs', 'waits', 'queued']);
  });

  it('ends one that waits for a limit, and gives nobody else’s turn away', async () => {
    const gate = createGate();
    const limited = gate.task;
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 3, tasks: [limited], taskConcurrencyLimits: { gated: 1 } }]);
    await pipeline.start();
    await pipeline.feed(['a', 'b', 'c'].map((id) => ({ id })));
    await clock.settle();
    expect(await pipeline.runtime.item('b')).toMatchObject({ waitingFor: { reason: 'task-limit', task: 'gated' } });
    await pipeline.runtime.cancelItem('b');
    await clock.settle();
    expect(gate.inside).toEqual(['a']);
    gate.open();
    await clock.settle();
    expect(gate.inside).toEqual(['c']);
    gate.open();
    await clock.settle();
    expectBooksToBalance({ pipeline });
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 2, itemsCancelled: 1 });
  });

  it('is refused when it has ended, and when it does not exist', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await clock.finish(pipeline.run([{ id: 'a' }]));
    await expect(pipeline.runtime.cancelItem('a')).rejects.toMatchObject({ code: 'item-final' });
    await expect(pipeline.runtime.cancelItem('b')).rejects.toMatchObject({ code: 'item-not-found' });
  });

  it('says so in one final event and one result', async () => {
    const gate = createGate();
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }]);
    await pipeline.runtime.cancelItem('a');
    const ends = eventsOf(pipeline, 'status', 'result').filter(({ type, data }) => type === 'result' || ('final' in data && data.final));
    expect(ends.map(({ type, data }) => [type, 'status' in data ? data.status : 'error' in data ? data.error?.type : null])).toEqual([
      ['status', 'cancelled'],
      ['result', 'Cancelled'],
    ]);
  });
});

describe('an item that cancels itself', () => {
  for (const way of ['synchronously', 'before its first await', 'after an await'] as const) {
    it(`ends as cancelled when its task does so ${way}`, async () => {
      const ran: string[] = [];
      const suicidal = (_value: unknown, ctx: TaskContext): unknown => {
        ran.push(ctx.itemId);
        if (ctx.itemId !== 'a') return 'done';
        const cancel = () => pipeline.runtime.cancelItem('a');
        if (way === 'synchronously') {
          void cancel();
          return 'ignored';
        }
        return (async () => {
          if (way === 'after an await') await null;
          void cancel();
          return 'ignored';
        })();
      };
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [suicidal] }]);
      await pipeline.start();
      await pipeline.feed([{ id: 'a' }, { id: 'b' }]);
      await clock.settle();
      expect(await pipeline.runtime.item('a')).toMatchObject({ status: 'cancelled' });
      expect(pipeline.results.map(({ id, value }) => [id, value])).toEqual([['b', 'done']]);
      expect(ran).toEqual(['a', 'b']);
      expect(pipeline.getStats().handlersIgnoringSignal).toBe(0);
      expectBooksToBalance({ pipeline });
    });
  }

  it('may do so again from the listener of its own abort', async () => {
    const gate = createGate();
    const listening = (value: unknown, ctx: TaskContext) => {
      ctx.signal.addEventListener('abort', () => void pipeline.runtime.cancelItem(ctx.itemId).catch(() => undefined));
      return gate.task(value, ctx);
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [listening], taskTimeoutSeconds: 5, taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.feed(['a', 'b', 'c'].map((id) => ({ id })));
    await pipeline.runtime.cancelItem('a');
    await clock.settle();
    expect(gate.inside).toEqual(['b']);
    await clock.advance(5_000);
    expect(gate.inside).toEqual(['c']);
    expectBooksToBalance({ pipeline });
    gate.open();
    await clock.settle();
    expect(pipeline.results.map(({ id }) => id)).toEqual(['c']);
  });
});
