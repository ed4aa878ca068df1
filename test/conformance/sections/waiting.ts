import { expect } from 'vitest';
import { ended, inTime, NEVER, named, reaches, type Suite, until } from '../world.ts';

export function waiting({ test, world }: Suite): void {
  const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

  test('is `workers` for what is queued, and nothing for what runs or has ended', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    expect((await p.item('a')).waitingFor).toBeNull();
    expect((await p.item('b')).waitingFor).toEqual({ reason: 'workers', stage: 'A' });
    gate.open('a');
    await ended(p, 1);
    expect((await p.item('a')).waitingFor).toBeNull();
  });

  test('is `paused` in a stage or a pipeline that hands out nothing', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await p.feed(named('a'), {});
    expect((await p.item('a')).waitingFor).toEqual({ reason: 'paused', stage: 'A' });
    await p.pauseStage('A');
    await p.start();
    expect((await p.item('a')).waitingFor).toEqual({ reason: 'paused', stage: 'A' });
    await p.pause();
    await p.resumeStage('A');
    expect((await p.item('a')).waitingFor).toEqual({ reason: 'paused', stage: 'A' });
    await p.resume();
    await ended(p, 1);
  });

  test('is `task-limit`, with the task', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 2, tasks: ['gated'], taskConcurrencyLimits: { gated: 1 } }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    await inTime(async () => (await p.item('b')).waitingFor?.reason === 'task-limit');
    expect(await p.item('b')).toMatchObject({ status: 'in_progress', waitingFor: { reason: 'task-limit', task: 'gated' } });
  });

  test('is `rate-limit`, with the task and until when', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', workers: 2, tasks: ['pass'], taskRateLimits: { pass: { limit: 1, perSeconds: NEVER } } },
    ]);
    await p.feed(named('a', 'b'), {});
    await inTime(async () => (await p.item('b')).waitingFor?.reason === 'rate-limit');
    await ended(p, 1);
    const { waitingFor, acceptedAt } = await p.item('b');
    expect(waitingFor).toEqual({ reason: 'rate-limit', task: 'pass', until: instant });
    expect((Date.parse(waitingFor?.until ?? '') - Date.parse(acceptedAt)) / 1000).toBeGreaterThan(NEVER - 60);
  });

  test('is `retry`, with until when', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['flaky'], taskWaitSeconds: NEVER }]);
    await p.feed(named('a'), {});
    await reaches(p, 'a', 'retrying');
    const { waitingFor, updatedAt } = await p.item('a');
    expect(waitingFor).toEqual({ reason: 'retry', until: instant });
    expect((Date.parse(waitingFor?.until ?? '') - Date.parse(updatedAt)) / 1000).toBeCloseTo(NEVER, 0);
  });

  test('is `next-stage-full`, with that stage; its worker says the same', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['gated'], queueCapacity: 1 },
    ]);
    await p.feed(named('a', 'b', 'c'), {});
    await held(1);
    await until(p, async () => (await p.item('c')).waitingFor?.reason === 'next-stage-full');
    expect((await p.item('c')).waitingFor).toEqual({ reason: 'next-stage-full', stage: 'B' });
    expect((await p.workerStates())['A-W0']).toMatchObject({
      status: 'busy',
      currentItemId: 'c',
      currentTask: null,
      waitingFor: { reason: 'next-stage-full', stage: 'B' },
    });
  });
}
