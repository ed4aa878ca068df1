import { expect } from 'vitest';
import { EVERYTHING, ended, idsOf, named, type Suite, seqOf, until } from '../world.ts';

export function flow({ test, world }: Suite): void {
  test('is by priority, lower numbers first, and first come, first served within one', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await p.feed(named('normal 1', 'normal 2'), {});
    await p.feed(named('late'), { priority: 2_097_151 });
    await p.feed(named('urgent 1', 'urgent 2'), { priority: 0 });
    await p.feed(named('normal 3'), { priority: 100 });
    await p.feed(named('soon'), { priority: 99 });
    await p.start();
    await ended(p, 7);
    expect(idsOf(p, 'in_progress')).toEqual(['urgent 1', 'urgent 2', 'soon', 'normal 1', 'normal 2', 'normal 3', 'late']);
  });

  test('is kept by an item’s priority in every stage', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.pauseStage('B');
    await p.feed(named('n1', 'n2'), {});
    await p.feed(named('urgent'), { priority: 1 });
    await until(p, async () => (await p.stats()).queueSizes.B === 3);
    await p.feed(named('straight in'), { priority: 50, targetStage: 'B' });
    await p.resumeStage('B');
    await ended(p, 4);
    expect(idsOf(p, 'in_progress', 'B')).toEqual(['urgent', 'straight in', 'n1', 'n2']);
  });

  test('of results is the order of feeding', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await p.feed(named('a', 'b'), { priority: 100 });
    await p.feed(named('c', 'd'), { priority: 1 });
    await p.start();
    await ended(p, 4);
    expect(idsOf(p, 'in_progress')).toEqual(['c', 'd', 'a', 'b']);
    const { rows } = await p.results({ ...EVERYTHING, status: 'completed' });
    expect(rows.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('never has more items running than there are workers', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 3, tasks: ['gated'] }]);
    await p.feed(named('a', 'b', 'c', 'd', 'e'), {});
    expect(await held(3)).toEqual(['a', 'b', 'c']);
    expect(await p.stats()).toMatchObject({ queueSizes: { A: 2 }, stageStats: { A: { inProgressItems: 3 } } });
    gate.open('b');
    await held(3);
    expect(gate.inside).toEqual(['a', 'c', 'd']);
    gate.open('a');
    await held(3);
    expect(gate.inside).toEqual(['c', 'd', 'e']);
  });

  test('runs upstream: a full next stage holds the worker, and its item is handed over when there is room', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['gated'], queueCapacity: 1 },
    ]);
    await p.feed(named('a', 'b', 'c', 'd'), {});
    await until(p, async () => (await p.item('c')).waitingFor?.reason === 'next-stage-full');
    expect(await p.stats()).toMatchObject({ queueSizes: { A: 1, B: 1 }, stageStats: { A: { inProgressItems: 1, completedItems: 2 } } });
    for (const id of ['a', 'b', 'c', 'd']) {
      expect(await held(1)).toEqual([id]);
      gate.open(id);
    }
    await ended(p, 4);
    expect(seqOf(p, 'c', 'queued', 'B')).toBeGreaterThan(seqOf(p, 'a', 'completed', 'B'));
    expect(seqOf(p, 'd', 'in_progress', 'A')).toBeGreaterThan(seqOf(p, 'c', 'queued', 'B'));
  });

  test('has no buffer before a stage that pulls: the worker before it holds its item until one asks', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['gated'], pull: true },
    ]);
    await p.feed(named('a', 'b', 'c'), {});
    await held(1);
    await until(p, async () => (await p.item('b')).waitingFor?.reason === 'next-stage-full');
    expect(await p.stats()).toMatchObject({ queueSizes: { A: 1, B: 0 }, stageStats: { A: { inProgressItems: 1 } } });
    for (const id of ['a', 'b', 'c']) {
      await held(1);
      gate.open(id);
    }
    await ended(p, 3);
    expect(idsOf(p, 'in_progress', 'B')).toEqual(['a', 'b', 'c']);
  });
}
