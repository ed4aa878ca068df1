/** The pool alone, with hands that are objects and a clock that is turned by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HandLink, Member } from '../../../src/cluster/hands/member.ts';
import { ownTasks } from '../../../src/cluster/hands/member.ts';
import { HandPool, type HandPoolOptions } from '../../../src/cluster/hands/pool.ts';
import { PROTOCOL } from '../../../src/cluster/hands/protocol.ts';
import { VirtualClock } from '../../engine/virtual-clock.ts';
import { type Call, createLog, give } from './harness.ts';

interface Given {
  id: string;
  value: string;
}

class FakeHand {
  readonly name: string;
  readonly jobs: Given[] = [];
  readonly aborts: string[] = [];
  readonly ends: string[] = [];
  member!: Member;
  isAllowed = true;
  private readonly pool: HandPool;

  constructor(pool: HandPool, name: string, capacity: number, tasks: readonly string[] = ['t']) {
    this.pool = pool;
    this.name = name;
    const link: HandLink = {
      send: (text) => {
        const message = JSON.parse(text) as { t: string; id: string; args: [string] };
        if (message.t === 'job') this.jobs.push({ id: message.id, value: message.args[0] });
        if (message.t === 'abort') this.aborts.push(message.id);
        return { cancel: () => false };
      },
      close: (code) => void this.ends.push(`closed ${code}`),
      cut: () => void this.ends.push('cut'),
      isAllowed: () => this.isAllowed,
    };
    const hello = {
      t: 'hello' as const,
      protocol: PROTOCOL,
      name,
      version: '1',
      instance: name,
      capacity,
      tasks: tasks.map((task) => ({ name: task, kind: 'task' as const, hash: 'h' })),
    };
    this.member = pool.join(hello, link);
  }

  get values(): string[] {
    return this.jobs.map(({ value }) => value);
  }

  begin(value: string): void {
    this.pool.receive(this.member, { t: 'begin', id: this.idOf(value) });
  }

  answer(value: string): void {
    const id = this.idOf(value);
    this.jobs.splice(
      this.jobs.findIndex((job) => job.id === id),
      1,
    );
    this.pool.receive(this.member, { t: 'value', id, value });
  }

  back(value: string): void {
    const id = this.idOf(value);
    this.jobs.splice(
      this.jobs.findIndex((job) => job.id === id),
      1,
    );
    this.pool.receive(this.member, { t: 'back', id, why: 'leaving' });
  }

  die(): void {
    this.pool.lost(this.member, 'killed');
  }

  private idOf(value: string): string {
    return (this.jobs.findLast((job) => job.value === value) as Given).id;
  }
}

function poolWith(options: Partial<HandPoolOptions> = {}) {
  const clock = new VirtualClock();
  const log = createLog();
  const pool = new HandPool({
    clock,
    logger: log,
    tasks: ownTasks(
      '1',
      ['t', 'u'].map((name) => ({ name, kind: 'task', hash: 'h' })),
    ),
    epoch: () => 1,
    isExpected: false,
    maxDeliveries: 3,
    beatMs: 1000,
    ...options,
  });
  let names = 0;
  return { pool, clock, log, hand: (capacity = 10, tasks = ['t', 'u']) => new FakeHand(pool, `h${++names}`, capacity, tasks) };
}

const settled = async (call: Call): Promise<string> =>
  Promise.race([call.result.then(String, (error: Error) => error.name), new Promise<string>((resolve) => setImmediate(resolve, 'waits'))]);

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

describe('a call that may run here as well', () => {
  const here = (pool: HandPool, name: string, value: string, made: string[]): Call => {
    const orHere = (): string => {
      made.push(value);
      return `${value} here`;
    };
    return give(pool, name, value, { orHere });
  };

  it('does so half a minute after the last hand that has its task has gone, and a firm one goes on waiting', async () => {
    const { pool, hand, clock, log } = poolWith();
    const made: string[] = [];
    const busy = hand(1, ['t']);
    const first = here(pool, 't', 'first', made);
    const [a, firm, b] = [here(pool, 't', 'a', made), give(pool, 't', 'firm'), here(pool, 't', 'b', made)];
    busy.answer('first');
    expect(await first.result).toBe('first');
    pool.receive(busy.member, { t: 'leaving' });
    busy.back('a');
    busy.die();
    // Others are there that lack the task.
    const other = hand(1, ['u']);
    for (let second = 0; second < 30; second++) {
      expect(made).toEqual([]);
      other.member.silentBeats = 0;
      await clock.advance(1000);
    }
    expect(await Promise.all([a.result, b.result])).toEqual(['a here', 'b here']);
    expect(made).toEqual(['a', 'b']);
    expect(pool.measure()).toMatchObject({ madeHere: 2, waiting: 1 });
    expect(log.lines.at(-1)).toMatchObject({ text: 'no hand has come back; calls that waited for one are made here', task: 't', calls: 2 });
    expect(await settled(firm)).toBe('waits');
    expect(await here(pool, 't', 'late', made).result).toBe('late here');
    hand(1, ['t']).answer('firm');
    expect(await firm.result).toBe('firm');
  });

  it('goes to a hand that comes back before', async () => {
    const { pool, hand, clock } = poolWith();
    const made: string[] = [];
    const first = hand(1);
    give(pool, 't', 'running');
    const waiting = here(pool, 't', 'waiting', made);
    first.answer('running');
    pool.receive(first.member, { t: 'leaving' });
    first.back('waiting');
    first.die();
    await clock.advance(29_000);
    const second = hand(1);
    second.answer('waiting');
    expect([await waiting.result, made]).toEqual(['waiting', []]);
    second.die();
    await clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  it('does not when a hand was lost with it, which it may have ended', async () => {
    const { pool, hand, clock } = poolWith();
    const made: string[] = [];
    const lost = hand(1);
    const [suspect, innocent] = [here(pool, 't', 'suspect', made), here(pool, 't', 'innocent', made)];
    lost.die();
    await clock.advance(30_000);
    expect([await settled(suspect), await innocent.result, made]).toEqual(['waits', 'innocent here', ['innocent']]);
    expect(pool.view().waiting).toMatchObject([{ task: 't', calls: 1, why: 'no hand is connected' }]);
    hand(1).answer('suspect');
    expect(await suspect.result).toBe('suspect');
  });

  it('of a task that its only hand does not know after all is made here at once, and once aborted never', async () => {
    const { pool, hand, clock } = poolWith();
    const made: string[] = [];
    const only = hand(1);
    const [unknown, aborted] = [here(pool, 't', 'unknown', made), here(pool, 't', 'aborted', made)];
    aborted.abort();
    pool.receive(only.member, { t: 'back', id: only.jobs[0]?.id as string, why: 'unknown-task' });
    expect(await unknown.result).toBe('unknown here');
    await clock.advance(60_000);
    expect(made).toEqual(['unknown']);
    await expect(aborted.result).rejects.toThrow('stop');
  });

  it('fails by what is thrown here', async () => {
    const { pool, hand, clock } = poolWith();
    hand(1).die();
    const failing = give(pool, 't', 1, {
      orHere: () => {
        throw new Error('no luck');
      },
    });
    await clock.advance(30_000);
    await expect(failing.result).rejects.toThrow('no luck');
  });
});

describe('what is measured', () => {
  it('is how many hands there are and what became of them and of their calls', async () => {
    const { pool, hand, clock } = poolWith();
    const [fit, going, lost] = [hand(1), hand(2), hand(3)];
    hand(4, ['t']);
    for (const value of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']) give(pool, 't', value);
    pool.receive(going.member, { t: 'leaving' });
    const connected = { fit: 2, unfit: 1, leaving: 1 };
    expect(pool.measure()).toMatchObject({ connected, running: 10, capacity: 8, waiting: 1, lost: 0, givenAgain: 0, madeHere: 0 });
    for (const value of going.values) going.back(value);
    going.die();
    lost.die();
    expect(pool.measure()).toMatchObject({ connected: { fit: 1, unfit: 1, leaving: 0 }, lost: 1, givenAgain: 5, waiting: 6 });
    pool.letGo();
    fit.die();
    expect(pool.measure()).toMatchObject({ lost: 1, givenAgain: 6 });
    await clock.advance(0);
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
