import { expect } from 'vitest';
import type { Hook, TaskContext, TaskHandler } from '../../../src/engine/index.ts';
import { ended, inTime, named, SOON, type Suite } from '../world.ts';

const trace = (n: number) => ({ traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba9020${n}-01`, tracestate: `n=${n}` });

/** A task `look` that notes of each item in which trace it was called, by the last digit of its place. */
function looking() {
  const seen: Record<string, string> = {};
  const look: TaskHandler = (value: unknown, ctx: TaskContext) => {
    seen[ctx.itemId] = `${ctx.trace?.traceparent.slice(50, 52) ?? 'none'} ${ctx.trace?.tracestate ?? ''}`.trim();
    return value;
  };
  return { seen, look };
}

/** Without spans of its own, a pipeline passes on the place in a trace that a request names. */
export function traces({ test, world }: Suite): void {
  test('a task is told the place of the request that fed its item, in every stage, and none when the request named none', async () => {
    const { seen, look } = looking();
    const { pipeline } = await world({ tasks: { look } });
    const p = await pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['look'] },
    ]);
    await p.run(named('a'), { trace: trace(1) });
    await p.feed(named('b'), { trace: trace(2) });
    await p.feed(named('c'), {});
    const writer = await p.openFeed({ trace: trace(3) });
    await writer.push(named('d'));
    await writer.push(named('e'));
    await writer.end();
    const run = await p.openRun({ trace: trace(4) });
    await run.push(named('f'));
    await run.end();
    await ended(p, 6);
    expect(seen).toEqual({ a: '01 n=1', b: '02 n=2', c: 'none', d: '03 n=3', e: '03 n=3', f: '04 n=4' });
  });

  test('items of a request that appends, or goes on under its key, have its place and not that of the one before', async () => {
    const { seen, look } = looking();
    const { pipeline } = await world({ tasks: { look } });
    const p = await pipeline([{ name: 'A', tasks: ['look'] }]);
    await p.feed(named('a'), { feedId: 'f', trace: trace(1) });
    await p.feed(named('b'), { feedId: 'f', append: true });
    await p.feed(named('c'), { feedId: 'f', append: true, trace: trace(2) });
    const idempotency = { key: 'k', request: 'r' };
    const cut = await p.openFeed({ idempotency, trace: trace(3) });
    await cut.push(named('d'));
    await cut.abort();
    const again = await p.openFeed({ idempotency, trace: trace(4) });
    await again.push(named('d', 'e'));
    await again.end('body');
    await ended(p, 5);
    expect(seen).toEqual({ a: '01 n=1', b: 'none', c: '02 n=2', d: '03 n=3', e: '04 n=4' });
  });

  test('of more requests than are told apart, the last ones keep theirs and the first ones have none', async () => {
    const { seen, look } = looking();
    const { pipeline } = await world({ tasks: { look } });
    const p = await pipeline([{ name: 'A', tasks: ['look'] }], { start: false });
    for (let i = 0; i < 20; i++) await p.feed(named(`i${i}`), { feedId: 'f', append: i > 0, trace: trace(i % 10) });
    await p.start();
    await ended(p, 20);
    expect(seen).toEqual(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`i${i}`, i < 4 ? 'none' : `0${i % 10} n=${i % 10}`])));
  });

  test('a retry and an operator’s one have the place of the feed, and hooks too', async () => {
    const told: unknown[] = [];
    const tell: Hook = (...args: unknown[]) => void told.push((args[3] as { trace: unknown }).trace);
    const attempts: unknown[] = [];
    const fails: TaskHandler = (value: unknown, ctx: TaskContext) => {
      attempts.push(ctx.trace);
      if (attempts.length < 3) throw new Error('not yet');
      return value;
    };
    const { pipeline } = await world({ tasks: { fails }, hooks: { tell } });
    const p = await pipeline(
      [{ name: 'A', tasks: ['fails'], taskAttempts: 2, taskWaitSeconds: SOON, onFailure: 'tell', onSuccess: 'tell' }],
      {
        onDone: 'tell',
      },
    );
    await p.run(named('a'), { trace: trace(5) });
    await inTime(async () => told.length === 2);
    await p.retryItem('a');
    await inTime(async () => told.length === 4);
    expect(attempts).toEqual([trace(5), trace(5), trace(5)]);
    expect(told).toEqual([trace(5), trace(5), trace(5), trace(5)]);
  });
}
