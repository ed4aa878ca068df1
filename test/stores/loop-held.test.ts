import { expect, it } from 'vitest';
import type { ItemsQuery } from '../../src/engine/index.ts';
import { longestStretch } from '../loop-stretch.ts';
import { machinePace } from '../machine-pace.ts';
import { livesOf } from './durable-host.ts';

const COUNT = 50_000;
/** Of processor time. */
const MOST_MS = 20;
/** What a look holds by itself it holds each time; a collection of garbage, of some ten milliseconds, falls into one stretch or another by chance. */
const LOOKS = 3;

it('no look at 50 000 stored items holds the event loop, whatever it passes over', { timeout: 120_000 }, async () => {
  const lives = livesOf({
    picky: (value, ctx) => {
      if (Number(value) % 2 === 0)
        throw ctx.permanent(`order ${value} of "c-${value}" was refused: no stock in warehouse ${Number(value) % 7}`);
      return value;
    },
  });
  const { host } = await lives.begin({ retentionMaxItems: 2 * COUNT });
  const stages = ['A', 'B'].map((name) => ({ name, tasks: ['picky'], workers: 16 }));
  await host.create({ id: 'p', stages });
  const p = host.get('p');
  const writer = await p.openFeed({ feedId: 'f' });
  for (let n = 0; n < COUNT; n += 500)
    await writer.push(Array.from({ length: 500 }, (_, i) => ({ id: `i${n + i}`, value: n + i, customer: `c${(n + i) % 100}` })));
  await writer.end();
  await p.waitForFeed('f', {});

  const items = (query: Partial<ItemsQuery>) => () => p.items({ after: 0, limit: 1000, ...query });
  const dry = { dryRun: true };
  const looks: Record<string, () => Promise<unknown>> = {
    groups: () => p.errorGroups({ limit: 100 }),
    'groups of a feed': () => p.errorGroups({ limit: 100, feedId: 'f' }),
    'five who ask for groups at once': () => Promise.all(Array.from({ length: 5 }, () => p.errorGroups({ limit: 100, feedId: 'f' }))),
    'a page': items({}),
    'the newest': items({ order: 'desc', after: Number.MAX_SAFE_INTEGER }),
    'a text that nothing has': items({ text: 'nothing has this' }),
    'a stage that has none': items({ stage: 'B', status: ['failed'] }),
    'a status that none of the feed has': items({ feedId: 'f', status: ['cancelled'] }),
    'results that a feed has not': () => p.results({ status: 'cancelled', feedId: 'f', after: 0, limit: 1000 }),
    'a count of all': () => p.retryFailed(dry),
    'a count by metadata': () => p.retryFailed({ ...dry, metadata: { customer: 'c2' } }),
    'a count by stage': () => p.retryFailed({ ...dry, stage: 'B' }),
    'a count of 10 000 ids': () => p.retryFailed({ ...dry, itemIds: Array.from({ length: 10_000 }, (_, i) => `i${3 * i}`) }),
  };
  for (const [what, look] of Object.entries(looks)) {
    // The first time much of it is compiled, which holds the loop once in the life of a process.
    await look();
    let longestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < LOOKS && longestMs >= MOST_MS; i++) longestMs = Math.min(longestMs, (await longestStretch(look)).longestMs);
    if (longestMs >= MOST_MS) expect(longestMs, what).toBeLessThan(MOST_MS * machinePace());
  }
});
