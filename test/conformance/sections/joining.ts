import { expect } from 'vitest';
import { expectBooksToBalance, named, SOON, type Suite, until } from '../world.ts';

export function joining({ test, world }: Suite): void {
  test('finishes every item in every stage, retry waits among them, and stops', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', workers: 2, tasks: ['flaky'], taskWaitSeconds: SOON },
      { name: 'B', tasks: ['flaky'], retry: 'per_stage', taskWaitSeconds: SOON },
    ]);
    await p.feed([1, 2, 3, 4, 5], {});
    const { done, stats } = await p.join();
    expect(done).toBe(true);
    expect(stats).toMatchObject({ itemsFed: 5, itemsProcessed: 5, itemsInFlight: 0 });
    expect((await p.describe()).state).toBe('stopped');
    await expectBooksToBalance(p);
  });

  test('shows `draining` meanwhile', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('x'), {});
    await held(1);
    const joined = p.join();
    await until(p, async () => (await p.describe()).state === 'draining');
    gate.open('x');
    expect((await joined).done).toBe(true);
  });

  test('says that it is not done when the time is up first, and goes on draining', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('x'), {});
    await held(1);
    expect(await p.join(0.01)).toMatchObject({ done: false, stats: { itemsInFlight: 1 } });
    expect((await p.describe()).state).toBe('draining');
    const again = p.join(60);
    gate.open('x');
    expect(await again).toMatchObject({ done: true, stats: { itemsProcessed: 1 } });
    expect((await p.describe()).state).toBe('stopped');
  });

  test('is over at once when there is nothing to finish, whatever the state', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    expect(await p.join()).toMatchObject({ done: true });
    await p.start();
    expect(await p.join()).toMatchObject({ done: true });
    expect((await p.describe()).state).toBe('stopped');
    expect(await p.join()).toMatchObject({ done: true });
  });

  test('runs a pipeline that was never started for its items’ sake', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await p.feed([1, 2], {});
    expect(await p.join()).toMatchObject({ done: true, stats: { itemsProcessed: 2 } });
  });

  test('ends every pause, of the pipeline and of its stages', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.pauseStage('B');
    await p.pause();
    await p.feed([1, 2, 3], {});
    expect(await p.join()).toMatchObject({ done: true, stats: { itemsProcessed: 3 } });
    expect((await p.describe()).pausedStages).toEqual([]);
  });

  test('can be followed by a start: the pipeline goes on counting', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.feed(named('a'), {});
    await p.join();
    await p.start();
    await p.feed(named('b'), {});
    expect((await p.join()).stats).toMatchObject({ itemsFed: 2, itemsProcessed: 2 });
  });
}
