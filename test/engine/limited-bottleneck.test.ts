/** The stage that holds up the rest, where it is a limit that holds it up: which one, how many wait for it, and until when. */
import { describe, expect, it } from 'vitest';
import { world } from './limiter-world.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('the bottleneck', () => {
  it('names the limiter that two pipelines share, in both, with those who wait in each', async () => {
    const { clock, host, pipeline } = world({ api: { concurrency: 3 } });
    const [one, two] = [await pipeline('one', 'api'), await pipeline('two', 'api', { workers: 2 })];
    await one.feed(numbers(9), {});
    await two.feed(numbers(9), {});
    await clock.advance(1000);
    const [first, second] = [(await one.stats()).bottleneck, (await two.stats()).bottleneck];
    const holdUp = { stage: 'S', reason: 'task-limit', limiter: 'api', until: null };
    expect(first).toMatchObject({ ...holdUp, workers: 4 });
    expect(second).toMatchObject({ ...holdUp, workers: 2 });
    // Six workers, three places.
    expect((first?.workersWaiting as number) + (second?.workersWaiting as number)).toBe(3);
    await clock.finish(host.limiters.change('api', { concurrency: 100 }));
    await clock.settle();
    for (const p of [one, two])
      expect((await p.stats()).bottleneck).toMatchObject({ stage: 'S', reason: 'workers', limiter: null, workersWaiting: 0 });
  });

  it('says until when a window that another pipeline has used up is closed', async () => {
    const { clock, pipeline } = world({ api: { limit: 4, perSeconds: 60 } });
    const [one, two] = [await pipeline('one', 'api', {}, 'call'), await pipeline('two', 'api', {}, 'call')];
    await one.feed(numbers(4), {});
    await clock.advance(10_000);
    expect((await one.stats()).bottleneck).toBeNull();
    await two.feed(numbers(10), {});
    await clock.advance(1000);
    const { bottleneck } = await two.stats();
    expect(bottleneck).toMatchObject({ stage: 'S', reason: 'rate-limit', limiter: 'api', task: 'call', workersWaiting: 4, workers: 4 });
    expect(Math.abs(Date.parse(bottleneck?.until as string) - clock.now() - 49_000)).toBeLessThan(100);
    // Told twice, it is the same.
    await clock.advance(20_000.3);
    expect((await two.stats()).bottleneck?.until).toBe(bottleneck?.until);
    expect((await one.stats()).bottleneck).toBeNull();
  });

  it('is the stage behind the limiter, not the one before it whose results have no room', async () => {
    const { clock, host } = world({ api: { concurrency: 1 } });
    await host.create({
      id: 'p',
      stages: [
        { name: 'In', workers: 5, tasks: ['call'] },
        { name: 'Limited', workers: 3, queueCapacity: 2, tasks: [{ task: 'gated', limiter: 'api' }] },
      ],
    });
    await host.get('p').feed(numbers(50), {});
    await clock.advance(5000);
    expect((await host.get('p').stats()).bottleneck).toMatchObject({
      stage: 'Limited',
      reason: 'task-limit',
      limiter: 'api',
      workersWaiting: 2,
      workers: 3,
    });
  });

  it('names the task of several that has too few places', async () => {
    const { clock, host } = world({});
    const tasks = ['call', 'gated'];
    await host.create({ id: 'p', stages: [{ name: 'S', workers: 6, tasks, taskConcurrencyLimits: { gated: 2, call: 5 } }] });
    await host.get('p').feed(numbers(50), {});
    await clock.advance(1000);
    expect((await host.get('p').stats()).bottleneck).toEqual({
      stage: 'S',
      reason: 'task-limit',
      task: 'gated',
      limiter: null,
      until: null,
      workersWaiting: 4,
      workers: 6,
    });
  });

  it('tells a limit of the stage from a limiter that still has room', async () => {
    const { clock, pipeline } = world({ wide: { concurrency: 100 } });
    const p = await pipeline('p', 'wide', { taskConcurrencyLimits: { gated: 1 } });
    await p.feed(numbers(20), {});
    await clock.advance(1000);
    expect((await p.stats()).bottleneck).toMatchObject({ reason: 'task-limit', task: 'gated', limiter: null, workersWaiting: 3 });
  });
});
