/** The order of a queue that is partly in the store: what has begun in its stage goes first, through pages and crashes. */
import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { named } from '../conformance/world.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';

const WINDOW = 4;
const ids = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('what has begun in its stage goes before what has not', () => {
  it.each(['without a restart', 'after a crash', 'after a stop'])('when most of both is in the store, %s', async (how) => {
    const clock = new VirtualClock();
    const begun: string[] = [];
    const flaky = (value: unknown, { itemId, attempt, retryAfter }: TaskContext): unknown => {
      begun.push(itemId);
      if (attempt === 1 && itemId.startsWith('retry')) throw retryAfter(50 + Number(itemId.slice(5)));
      return value;
    };
    const ports = { ...systemPorts, clock, uniqueId: countedIds('t-') };
    const lives = livesOf({ flaky }, { queueWindow: WINDOW, ports }, (work) => clock.finish(work));
    let life = await lives.begin();
    await clock.finish(life.host.create({ id: 'p', stages: [{ name: 'A', workers: 1, tasks: ['flaky'], taskAttempts: 2 }] }));
    let p = life.host.get('p');
    const retries = ids('retry', 30);
    await clock.finish(p.feed(named(...retries), {}));
    await clock.settle();
    expect(begun).toEqual(retries);
    await clock.finish(p.pause());
    const [early, late] = [ids('early', 30), ids('late', 30)];
    await clock.finish(p.feed(named(...early), {}));
    // All are due now, and queued behind what came before them.
    await clock.advance(101_000);
    await clock.finish(p.feed(named(...late), {}));
    await clock.finish(p.feed(named('urgent'), { priority: 1 }));
    expect((await clock.finish(p.stats())).statusCounts).toMatchObject({ queued: 91, retrying: 0 });
    if (how !== 'without a restart') {
      await life[how === 'after a crash' ? 'crash' : 'stop']();
      life = await lives.begin();
      p = life.host.get('p');
    }
    begun.length = 0;
    await clock.finish(p.resume());
    await clock.finish(p.join());
    expect(begun).toEqual(['urgent', ...retries, ...early, ...late]);
  });
});
