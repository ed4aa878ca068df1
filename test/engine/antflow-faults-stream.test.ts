import { describe, expect, it } from 'vitest';
import { createGate, expectBooksToBalance, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('AntFlow’s stream', () => {
  it('A12: hangs on a failing item', async () => {
    const task = (value: unknown) => {
      if (value === 2) throw new Error('two');
      return value;
    };
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [task], taskAttempts: 1 }]);
    const seen: unknown[] = [];
    for await (const { value, error } of pipeline.stream([1, 2, 3])) seen.push(error?.message ?? value);
    expect(seen).toEqual([1, 'two', 3]);
    expect(pipeline.state).toBe('stopped');
  });

  it('A13: with a small buffer hangs', async () => {
    const { pipeline } = virtualPipeline(
      [
        { name: 'A', tasks: [passOn] },
        { name: 'B', tasks: [passOn], queueCapacity: 1 },
      ],
      { backlogCapacity: 1 },
    );
    const seen: unknown[] = [];
    for await (const { value } of pipeline.stream(numbers(50))) seen.push(value);
    expect(seen).toEqual(numbers(50));
  });

  it('A14: yields nothing until everything is fed', async () => {
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    let fed = 0;
    async function* endless() {
      for (;;) yield fed++;
    }
    for await (const { value } of pipeline.stream(endless())) {
      expect(value).toBe(0);
      expect(fed).toBeLessThan(100);
      break;
    }
    expect(pipeline.state).toBe('stopped');
  });

  it('A15: leaks later results after a break', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    for await (const _ of pipeline.stream(numbers(5))) break;
    await clock.settle();
    const results = await clock.finish(pipeline.run([{ id: 'x', value: 'x' }]));
    expect(results.map(({ value }) => value)).toEqual(['x']);
    expectBooksToBalance({ pipeline });
  });

  it('leaves a source that is still awaited when its reader goes', async () => {
    let closed = false;
    const gate = Promise.withResolvers<void>();
    async function* source() {
      try {
        yield 1;
        await gate.promise;
        yield 2;
      } finally {
        closed = true;
      }
    }
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    for await (const _ of pipeline.stream(source())) break;
    expect(pipeline.state).toBe('stopped');
    gate.resolve();
    await clock.settle();
    expect(closed).toBe(true);
    expect(pipeline.getStats().itemsFed).toBe(1);
  });

  it('throws what its source throws, and what it cannot feed', async () => {
    function* broken() {
      yield 1;
      throw new Error('source');
    }
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    const read = async (items: Iterable<unknown>) => {
      for await (const _ of pipeline.stream(items)) void _;
    };
    await expect(read(broken())).rejects.toThrow('source');
    await expect(read([{ id: '' }])).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(pipeline.run(broken())).rejects.toThrow('source');
    expect(pipeline.state).toBe('stopped');
  });

  it('gives results in the order of completion, and keeps a running pipeline running', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 3, tasks: [gate.task] }]);
    await pipeline.start();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { id } of pipeline.stream(['a', 'b', 'c'].map((id) => ({ id })))) seen.push(id);
    })();
    await clock.settle();
    for (const id of ['c', 'a', 'b']) {
      gate.open(id);
      await clock.settle();
    }
    await reading;
    expect(seen).toEqual(['c', 'a', 'b']);
    expect(pipeline.state).toBe('running');
  });
});
