import { describe, expect, it } from 'vitest';
import type { HandPool } from '../../../src/cluster/hands/pool.ts';
import { poolWith, settled } from './fake-hand.ts';
import { type Call, give } from './harness.ts';

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
