import { describe, expect, it } from 'vitest';
import type { Clock } from '../src/engine/ports.ts';
import { type LoadBounds, memoryInUse, roomForOldObjects, watchLoad } from '../src/process/load.ts';
import { turn } from './engine/virtual-clock.ts';

/** A loop whose turns take as long as a test says: a timer fires when its turn comes, however late that is. */
function loop(bounds: Partial<LoadBounds>, memory: () => number = () => 0, collect: (() => void) | null = () => undefined) {
  let now = 0;
  let timer: { fn: () => void; at: number } | null = null;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    setTimer: (fn, ms) => {
      timer = { fn, at: now + ms };
      return timer;
    },
    clearTimer: (handle) => {
      if (timer === handle) timer = null;
    },
    defer: () => undefined,
  };
  const said: (string | null)[] = [];
  const lines: string[] = [];
  const log = (_fields: object, message: string): void => void lines.push(message);
  const { look, stop } = watchLoad(
    { loopDelaySeconds: 0, memoryPercent: 0, ...bounds },
    {
      clock,
      logger: { debug: log, info: log, warn: log, error: log },
      say: (reason) => void said.push(reason),
      memory,
      ...(collect === null ? {} : { collect }),
    },
  );
  return {
    said,
    lines,
    look,
    stop,
    isTimed: () => timer !== null,
    seconds: () => now / 1000,
    /** Turns of `ms` each, until `seconds` have passed. */
    turns(ms: number, seconds: number) {
      for (const end = now + seconds * 1000; now < end; ) {
        now += ms;
        if (timer !== null && timer.at <= now) timer.fn();
      }
    },
  };
}

const isOverloaded = ({ said }: { said: (string | null)[] }): boolean => (said.at(-1) ?? null) !== null;

describe('an event loop', () => {
  it.each([10, 100, 400])('with turns of %i ms is not late by half a second', (ms) => {
    const one = loop({ loopDelaySeconds: 0.5 });
    one.turns(ms, 30);
    expect(one.said).toEqual([]);
  });

  it.each([1000, 10_000, 3_600_000])('that stands once, for %i ms, is not overloaded', (ms) => {
    const one = loop({ loopDelaySeconds: 0.5 });
    one.turns(5, 3);
    one.turns(ms, ms / 1000);
    one.turns(5, 3);
    expect(one.said).toEqual([]);
  });

  it('that a task holds for a second now and then is not overloaded', () => {
    const one = loop({ loopDelaySeconds: 0.5 });
    for (let i = 0; i < 10; i++) {
      one.turns(700, 0.7);
      one.turns(5, 5);
    }
    expect(one.said).toEqual([]);
  });

  it('with turns of 0.8 s is, within three seconds, and says how late it is', () => {
    const one = loop({ loopDelaySeconds: 0.5 });
    one.turns(5, 10);
    one.turns(800, 3);
    expect(isOverloaded(one)).toBe(true);
    expect(one.said.at(-1)).toMatch(/^its event loop is 0[.][5-7] s late$/);
  });

  it('is so until it is half as late, and says both once in the log', () => {
    const one = loop({ loopDelaySeconds: 0.5 });
    one.turns(1000, 5);
    one.turns(450, 20);
    expect(isOverloaded(one)).toBe(true);
    one.turns(10, 5);
    expect(isOverloaded(one)).toBe(false);
    expect(one.said.filter((reason) => reason === null)).toHaveLength(1);
    expect(one.lines).toEqual(['overloaded: new items are refused', 'no longer overloaded: new items are accepted']);
  });

  it('may be as late as it likes without a bound', () => {
    const one = loop({ memoryPercent: 90 });
    one.turns(5000, 60);
    expect(one.said).toEqual([]);
  });
});

describe('memory', () => {
  it('that is nearly used up overloads it, until five points less are used', () => {
    let used = 0.85;
    const one = loop({ memoryPercent: 90 }, () => used);
    one.turns(50, 10);
    expect(one.said).toEqual([]);
    used = 0.93;
    one.turns(50, 2);
    expect(one.said.at(-1)).toBe('93 % of its memory is in use');
    used = 0.87;
    one.turns(50, 5);
    expect(isOverloaded(one)).toBe(true);
    used = 0.8;
    one.turns(50, 2);
    expect(isOverloaded(one)).toBe(false);
  });

  it('that is full of garbage for a moment does not', () => {
    const found = [0.5, 0.94, 0.6, 0.93, 0.4];
    let at = 0;
    const one = loop({ memoryPercent: 90 }, () => found[at++ % found.length] as number);
    one.turns(50, 60);
    expect(at).toBeGreaterThan(50);
    expect(one.said).toEqual([]);
  });

  it('that is garbage is collected before anybody is refused', () => {
    let used = 0.95;
    const one = loop(
      { memoryPercent: 90 },
      () => used,
      () => {
        used = 0.3;
      },
    );
    one.turns(50, 3);
    expect(used).toBe(0.3);
    expect(one.said).toEqual([]);
  });

  it('that becomes garbage while nothing is accepted is collected in the end', () => {
    let used = 0.95;
    let live = 0.95;
    const one = loop(
      { memoryPercent: 90 },
      () => used,
      () => {
        used = live;
      },
    );
    one.turns(50, 1);
    expect(isOverloaded(one)).toBe(true);
    live = 0.3;
    one.turns(50, 5);
    expect(isOverloaded(one)).toBe(false);
  });

  it('that stays in use is searched for garbage ever more rarely, and anew once there was some', () => {
    let used = 0.95;
    const at: number[] = [];
    const one = loop(
      { memoryPercent: 90 },
      () => used,
      () => at.push(one.seconds()),
    );
    one.turns(100, 200);
    expect(at.map((second) => Math.round(second))).toEqual([0, 2, 6, 14, 30, 62, 122, 182]);
    used = 0.1;
    one.turns(100, 100);
    used = 0.95;
    one.turns(100, 1);
    expect(at).toHaveLength(9);
  });

  it('is collected by V8', async () => {
    const garbage = new WeakRef(Array.from({ length: 1000 }, (_, i) => ({ i })));
    // What a turn has made or looked at stays until its end.
    await turn();
    loop({ memoryPercent: 90 }, () => 0.95, null).turns(100, 1);
    await turn();
    expect(garbage.deref()).toBeUndefined();
  });

  it('is looked at when somebody asks, whatever the time is, but not for each of many', () => {
    let used = 0.5;
    let looks = 0;
    const one = loop({ memoryPercent: 90, loopDelaySeconds: 0.5 }, () => {
      looks++;
      return used;
    });
    one.turns(100, 1);
    const before = looks;
    used = 0.96;
    for (let i = 0; i < 1000; i++) one.look();
    expect(looks).toBe(before);
    one.turns(10, 0.01);
    one.look();
    expect(looks).toBeGreaterThan(before);
    expect(isOverloaded(one)).toBe(true);
  });

  it('that is all but full overloads it at once', () => {
    let used = 0.5;
    const one = loop({ memoryPercent: 90 }, () => used);
    one.turns(100, 1);
    used = 0.96;
    one.turns(100, 0.1);
    expect(isOverloaded(one)).toBe(true);
  });

  it.each([
    ['--max-old-space-size=96', 288, 96],
    ['--max-semi-space-size=8 --max-old-space-size=96', 120, 96],
    ['--max_semi_space_size 1 --max-old-space-size=1000', 1003, 1000],
    ['', 4288, 4096],
    ['', 150, 50],
  ])('with the flags "%s" and a limit of %i MiB has room for %i', (flags, limit, room) => {
    expect(roomForOldObjects(limit * 2 ** 20, flags) / 2 ** 20).toBe(room);
  });

  it('is measured as a part of what the process may use', () => {
    const used = memoryInUse();
    expect(used).toBeGreaterThan(0);
    expect(used).toBeLessThan(1);
  });
});

describe('the watch', () => {
  it('has no timer without bounds', () => {
    expect(loop({}).isTimed()).toBe(false);
  });

  it('leaves nothing behind, and nobody waiting', () => {
    const one = loop({ loopDelaySeconds: 0.5 });
    one.turns(1000, 5);
    one.stop();
    expect(one.isTimed()).toBe(false);
    expect(isOverloaded(one)).toBe(false);
  });
});
