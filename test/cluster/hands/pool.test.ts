/** The pool: who is given what, and what becomes of the calls of a hand that is lost. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HandPool } from '../../../src/cluster/hands/pool.ts';
import { type FakeHand, poolWith, settled } from './fake-hand.ts';
import { type Call, give } from './harness.ts';

describe('a lost hand', () => {
  it('has its calls go to others, which is told once they had begun', async () => {
    const { pool, hand } = poolWith();
    const first = hand();
    const [begun, sent] = [give(pool, 't', 'a'), give(pool, 't', 'b')];
    first.begin('a');
    const second = hand();
    first.die();
    expect(second.values).toEqual(['a']);
    expect([begun.waits, sent.waits]).toEqual([1, 0]);
    second.answer('a');
    // Suspects: one at a time.
    expect(second.values).toEqual(['b']);
    second.answer('b');
    expect([await begun.result, await sent.result]).toEqual(['a', 'b']);
  });

  it('with a suspect has that one counted alone, beside whatever else it ran', async () => {
    const { pool, hand } = poolWith({ maxDeliveries: 3 });
    const first = hand();
    const poison = give(pool, 't', 'poison');
    first.die();
    const second = hand();
    expect(second.values).toEqual(['poison']);
    const innocents = ['a', 'b', 'c'].map((value) => give(pool, 't', value));
    expect(second.values).toEqual(['poison', 'a', 'b', 'c']);
    second.die();
    // Counted twice: next time it runs with nothing beside it.
    const third = hand();
    const fourth = hand();
    expect([third.values, fourth.values].sort()).toEqual([['a'], ['poison']]);
    const withPoison = third.values[0] === 'poison' ? third : fourth;
    const other = withPoison === third ? fourth : third;
    give(pool, 't', 'd');
    expect(withPoison.values).toEqual(['poison']);
    expect(other.values).toEqual(['a', 'd']);
    withPoison.die();
    await expect(poison.result).rejects.toMatchObject({
      name: 'PoisonItem',
      permanent: true,
      message: '3 hands that ran it were lost, the last one while it ran nothing else',
    });
    for (const value of ['a', 'b', 'c']) other.answer(value);
    expect(await Promise.all(innocents.map(({ result }) => result))).toEqual(['a', 'b', 'c']);
  });

  it('that ran one call alone condemns it at once where one loss is enough', async () => {
    const { pool, hand } = poolWith({ maxDeliveries: 1 });
    const first = hand();
    const [a, b] = [give(pool, 't', 'a'), give(pool, 't', 'b')];
    first.die();
    // Two were there: nobody knows which, so each is tried alone.
    const second = hand();
    expect(second.values).toEqual(['a']);
    second.die();
    await expect(a.result).rejects.toMatchObject({ name: 'PoisonItem' });
    const third = hand();
    third.answer('b');
    expect(await b.result).toBe('b');
  });

  it('is not waited for by what a hand is kept free for: that goes to whichever is free first', () => {
    const { pool, hand } = poolWith({ maxDeliveries: 1 });
    const busy = hand(10, ['t']);
    give(pool, 't', 'long');
    const dying = hand(10, ['u']);
    give(pool, 'u', 'suspect');
    give(pool, 'u', 'other');
    const both = hand(10);
    give(pool, 't', 'work');
    expect([busy.values, both.values]).toEqual([['long'], ['work']]);
    dying.die();
    // `both` is kept free; what comes now goes to the other.
    give(pool, 't', 'more');
    expect([busy.values, both.values]).toEqual([['long', 'more'], ['work']]);
    const free = hand(10);
    expect(free.values).toEqual(['suspect']);
    both.answer('work');
    expect(both.values).toEqual(['other']);
  });

  it('holds others up for a minute at most', async () => {
    const { pool, hand, clock } = poolWith({ maxDeliveries: 1 });
    hand().die();
    const first = hand();
    give(pool, 't', 'slow');
    give(pool, 't', 'slower');
    first.die();
    const only = hand();
    const next = give(pool, 't', 'next');
    expect(only.values).toEqual(['slow']);
    for (let second = 0; second < 60; second++) {
      only.member.silentBeats = 0;
      await clock.advance(1000);
    }
    expect(only.values).toEqual(['slow', 'next']);
    only.answer('next');
    expect(await next.result).toBe('next');
  });
});

describe('silence', () => {
  it('ends a hand after three beats, and has whoever started it told', async () => {
    const silent: string[] = [];
    const { pool, hand, clock, log } = poolWith({ onSilent: (name) => silent.push(name) });
    const [quiet, loud] = [hand(), hand()];
    for (let beat = 0; beat < 4; beat++) {
      loud.member.silentBeats = 0;
      await clock.advance(1000);
    }
    expect(silent).toEqual(['h1']);
    expect(quiet.ends).toEqual(['closed 4408', 'cut']);
    expect(pool.view().hands.map(({ name }) => name)).toEqual(['h2']);
    expect(log.lines.at(-1)).toMatchObject({ text: 'a hand has gone', hand: 'h1', why: 'nothing was heard of it for 3 beats' });
  });

  it('leaves no timer behind when the last hand has gone', async () => {
    const { hand, clock } = poolWith();
    hand().die();
    await clock.settle();
    expect(clock.pending).toBe(0);
  });
});

describe('a key that is revoked', () => {
  it('ends the connection at the next beat; the calls are not counted', async () => {
    const { pool, hand, clock } = poolWith({ maxDeliveries: 1 });
    const first = hand();
    const call = give(pool, 't', 'a');
    first.isAllowed = false;
    await clock.advance(1000);
    expect(first.ends).toEqual(['closed 4403']);
    hand().answer('a');
    expect(await call.result).toBe('a');
  });
});

describe('whether hands are there', () => {
  const isFor = (pool: HandPool) => ['t', 'u'].map((name) => pool.isThereFor('task', name));

  it('is so for a task while one is connected that has it, and for half a minute after', async () => {
    const { pool, hand, clock } = poolWith();
    expect(isFor(pool)).toEqual([false, false]);
    hand(10, []);
    expect(isFor(pool)).toEqual([false, false]);
    const [able, half] = [hand(), hand(10, ['u'])];
    expect(isFor(pool)).toEqual([true, true]);
    able.die();
    await clock.advance(29_000);
    expect(isFor(pool)).toEqual([true, true]);
    half.member.silentBeats = 0;
    await clock.advance(1000);
    expect(isFor(pool)).toEqual([false, true]);
  });

  it('is so from the start where they are expected', () => {
    expect(isFor(poolWith({ isExpected: true }).pool)).toEqual([true, true]);
  });
});

describe('whatever happens', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('give' as const), at: fc.nat(), task: fc.constantFrom('t', 'u') }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('join' as const), at: fc.nat(2), task: fc.constantFrom('t', 'u') }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('answer' as const), at: fc.nat(), task: fc.constant('t') }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('die' as const), at: fc.nat(), task: fc.constant('t') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('back' as const), at: fc.nat(), task: fc.constant('t') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), at: fc.nat(), task: fc.constant('t') }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), at: fc.nat(), task: fc.constant('t') }) },
  );

  it('each call ends once, nothing runs at two hands, a hand has one suspect, and no hand is idle while it could help', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), async (steps, maxDeliveries) => {
        const { pool, hand } = poolWith({ maxDeliveries });
        const hands: FakeHand[] = [];
        const calls: { value: string; call: Call; aborted: boolean }[] = [];
        const pick = <T>(from: readonly T[], at: number): T | undefined => from[at % Math.max(1, from.length)];
        for (const { do: what, at, task } of steps) {
          if (what === 'give') {
            const value = `v${calls.length}`;
            calls.push({ value, call: give(pool, task, value), aborted: false });
          } else if (what === 'join') hands.push(hand(1 + at, at === 0 ? [task] : ['t', 'u']));
          else if (what === 'abort') {
            const chosen = pick(calls, at);
            if (chosen === undefined) continue;
            chosen.aborted = true;
            chosen.call.abort();
          } else {
            const chosen = pick(hands, at);
            if (chosen === undefined) continue;
            if (what === 'die') {
              chosen.die();
              hands.splice(hands.indexOf(chosen), 1);
            } else if (what === 'leave') pool.receive(chosen.member, { t: 'leaving' });
            else {
              const job = pick(chosen.jobs, at >> 4);
              if (job === undefined) continue;
              if (what === 'answer') chosen.answer(job.value);
              else chosen.back(job.value);
            }
          }
          check(pool, hands);
        }
        // Everything ends when hands come that answer.
        for (let round = 0; (round < 400 && hands.some(({ jobs }) => jobs.length > 0)) || pool.view().waiting.length > 0; round++) {
          if (hands.length === 0 || hands.every(({ member }) => member.isLeaving) || pool.view().waiting.length > 0) hands.push(hand());
          for (const one of hands) for (const value of one.values) one.answer(value);
          check(pool, hands);
          expect(round).toBeLessThan(399);
        }
        for (const { value, call, aborted } of calls) {
          const end = await settled(call);
          expect(aborted ? [value, 'Error', 'PoisonItem'] : [value, 'PoisonItem']).toContain(end);
        }
        expect(pool.view().hands.map(({ running }) => running)).toEqual(hands.map(() => 0));
      }),
      { numRuns: 300 },
    );
  });

  it('what ends no hand is never condemned for what does, as long as it is alone in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        async (poisons, count, maxDeliveries) => {
          const { pool, hand } = poolWith({ maxDeliveries });
          const calls = Array.from({ length: 12 }, (_, i) => (i < poisons ? `poison${i}` : `good${i}`)).map((value) => ({
            value,
            call: give(pool, 't', value),
          }));
          const hands = Array.from({ length: count }, () => hand(8));
          for (let round = 0; pool.view().waiting.length > 0 || hands.some(({ jobs }) => jobs.length > 0); round++) {
            expect(round).toBeLessThan(500);
            const at = hands.findIndex(({ values }) => values.some((value) => value.startsWith('poison')));
            if (at >= 0) {
              hands[at]?.die();
              hands[at] = hand(8);
            } else for (const one of hands) for (const value of one.values) one.answer(value);
          }
          for (const { value, call } of calls) expect(await settled(call)).toBe(value.startsWith('poison') ? 'PoisonItem' : value);
        },
      ),
      { numRuns: 100 },
    );
  });
});

function check(pool: HandPool, hands: readonly FakeHand[]): void {
  const running = hands.flatMap(({ member }) =>
    [...member.places.values()].filter(({ isAborted }) => !isAborted).map(({ job }) => job.number),
  );
  expect(new Set(running).size).toBe(running.length);
  const waiting = pool.view().waiting.length > 0;
  for (const { member } of hands) {
    const suspects = [...member.places.values()].filter(({ job, isAborted }) => job.isSuspect && !isAborted);
    expect(suspects.length).toBeLessThanOrEqual(1);
    expect(member.running).toBeLessThanOrEqual(member.capacity);
    if (member.running === 0 && !member.isLeaving && waiting) {
      for (const { task } of pool.view().waiting) expect(member.hasTask(`task ${task}`)).toBe(false);
    }
  }
}

describe('why calls wait', () => {
  const whyOf = (pool: HandPool): string[] => pool.view().waiting.map(({ why }) => why);

  it('is that hands are busy only when none of those that have the task has room', () => {
    const { pool, hand } = poolWith();
    hand(1, ['t']);
    give(pool, 't', 'a');
    give(pool, 't', 'b');
    expect(whyOf(pool)).toEqual(['the hands that have it are busy']);
    // Without the task, its room does not count.
    hand(10, ['u']);
    expect(whyOf(pool)).toEqual(['the hands that have it are busy']);
  });

  it('is, after a loss, that a hand takes one suspect at a time, as long as there is room', () => {
    const { pool, hand } = poolWith();
    const first = hand();
    for (const value of ['a', 'b', 'c']) give(pool, 't', value);
    first.die();
    const second = hand(2);
    expect(second.values).toEqual(['a']);
    expect(pool.view().waiting).toMatchObject([
      { calls: 2, why: 'they ran on a hand that was lost, and each hand takes one such call at a time' },
    ]);
    give(pool, 't', 'd');
    expect(second.values).toEqual(['a', 'd']);
    expect(whyOf(pool)).toEqual(['the hands that have it are busy']);
  });

  it('is that the hands are kept for a call that runs alone, whether the others are suspects or not', () => {
    const { pool, hand } = poolWith({ maxDeliveries: 1 });
    const first = hand();
    give(pool, 't', 'a');
    give(pool, 't', 'b');
    first.die();
    const second = hand();
    expect(second.values).toHaveLength(1);
    give(pool, 't', 'c');
    expect(second.values).toHaveLength(1);
    expect(pool.view().waiting).toMatchObject([
      { calls: 2, why: 'the hands that have it are kept free for a call that ran whenever a hand was lost, and now runs alone' },
    ]);
  });
});
