import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { virtualPipeline } from './harness.ts';

describe('onAbort', () => {
  const world = (told: unknown[], taskTimeoutSeconds?: number) => {
    let context: TaskContext | undefined;
    const task = (_value: unknown, ctx: TaskContext): Promise<unknown> => {
      context = ctx;
      ctx.onAbort((reason) => told.push(reason));
      return new Promise(() => undefined);
    };
    const stage = { name: 'A', tasks: [task], taskAttempts: 1, ...(taskTimeoutSeconds !== undefined && { taskTimeoutSeconds }) };
    return { ...virtualPipeline([stage]), context: () => context as TaskContext };
  };

  it('tells of a cancel, with the reason that the signal has', async () => {
    const told: unknown[] = [];
    const { pipeline, clock, context } = world(told);
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }]);
    await pipeline.runtime.cancelItem('x');
    await clock.settle();
    expect(told).toEqual([context().signal.reason]);
    expect(told).toMatchObject([{ name: 'AbortedError' }]);
  });

  it('tells of a timeout, once, and who asks only afterwards too', async () => {
    const told: unknown[] = [];
    const { pipeline, clock, context } = world(told, 1);
    await clock.finish(pipeline.run([{ id: 'x' }]));
    expect(told).toMatchObject([{ name: 'TaskTimeoutError' }]);
    context().onAbort((reason) => told.push(reason));
    expect(told).toHaveLength(2);
  });

  it('tells nothing of an attempt that has ended by itself', async () => {
    const told: unknown[] = [];
    const task = (value: unknown, ctx: TaskContext): unknown => {
      ctx.onAbort((reason) => told.push(reason));
      return value;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task] }]);
    await clock.finish(pipeline.run(['x']));
    await pipeline.shutdown('force');
    expect(told).toEqual([]);
  });
});
