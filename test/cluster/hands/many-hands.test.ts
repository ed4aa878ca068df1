/** A thousand connections take about a second of processor time on both sides together, so this file has its own limit. */
import { expect, it } from 'vitest';
import { give, startHand, startOwner } from './harness.ts';

it('1 000 hands are connected, each is given its part, and all of them leave', { timeout: 60_000 }, async () => {
  const owner = await startOwner({ tasks: ['who'] });
  const hands = Array.from({ length: 1000 }, (_, i) => startHand(owner.url, { who: async () => i }, { name: `h${i}`, capacity: 2 }));
  await owner.log.seen('a hand has connected', 1000);
  const calls = Array.from({ length: 2000 }, () => give(owner.pool, 'who'));
  const answers = (await Promise.all(calls.map(({ result }) => result))) as number[];
  expect(new Set(answers).size).toBe(1000);
  await Promise.all(hands.map(({ hand }) => hand.leave(60_000)));
  expect(owner.log.lines.filter(({ text }) => text === 'a hand is leaving')).toHaveLength(1000);
});
