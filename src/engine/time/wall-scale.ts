import type { Clock } from '../ports.ts';

/** Two readings differ by up to this while neither clock is set: the wall clock counts whole milliseconds. */
const ALIKE_MS = 2;
/** A comparison says nothing when the process was held up for longer in the middle of it. */
const SURE_MS = 1;
/** How many settings of the wall clock are remembered; after that, instants between two old ones are told by the one before. */
const SETTINGS_KEPT = 1000;

/** The wall clock as it stood from an instant on. */
interface Setting {
  /** Monotonic milliseconds; the first setting is valid since ever. */
  from: number;
  /** To be added to a monotonic instant to get milliseconds since the Unix epoch. */
  offset: number;
}

/**
 * Which instant of the wall clock a monotonic one was. What is told of one stays as it was told, whatever happens to the wall clock later: each instant goes
 * by the setting of its own time, and one that is still to come by the newest.
 *
 * All offsets differ by whole milliseconds, and are multiples of 2^-10, so that adding and taking away are exact: an instant that was stored in whole
 * milliseconds is told in the same ones.
 */
export class WallScale {
  private readonly clock: Clock;
  private readonly earlier: Setting[] = [];
  private newest: Setting;

  constructor(clock: Clock) {
    this.clock = clock;
    this.newest = firstSetting(clock);
  }

  /** Begins anew, by the clock as it is set now. To be called before any instant is told. */
  begin(): void {
    this.earlier.length = 0;
    this.newest = firstSetting(this.clock);
  }

  /** The offset of now. */
  get offset(): number {
    return this.newest.offset;
  }

  /** Compares both clocks again: the wall clock may have been set, or have slept. Returns the monotonic instant of now. */
  sync(): number {
    const { clock, newest } = this;
    const before = clock.monotonic();
    const wall = clock.now();
    const now = clock.monotonic();
    const differs = Math.round(wall - now - newest.offset);
    if (Math.abs(differs) <= ALIKE_MS || now - before > SURE_MS) return now;
    if (this.earlier.push(newest) > SETTINGS_KEPT) this.earlier.splice(1, 1);
    this.newest = { from: now, offset: newest.offset + differs };
    return now;
  }

  /** Milliseconds since the Unix epoch, whole ones, of a monotonic instant. */
  at(monotonic: number): number {
    const { from, offset } = this.newest;
    return Math.floor(monotonic + (monotonic >= from ? offset : this.settingAt(monotonic).offset));
  }

  /** A monotonic instant that {@link WallScale.at} tells as these whole milliseconds, a late one if there are several; by the clock as it is set now where there is none. */
  monotonicOf(wall: number): number {
    let until = Number.POSITIVE_INFINITY;
    for (let i = this.earlier.length; i >= 0; i--) {
      const { from, offset } = this.earlier[i] ?? this.newest;
      const first = wall - offset;
      if (first >= from && first < until) return first;
      // This millisecond had begun when the clock was set.
      if (first < from && first + 1 > from) return from;
      until = from;
    }
    return wall - this.newest.offset;
  }

  private settingAt(monotonic: number): Setting {
    return this.earlier.findLast(({ from }) => monotonic >= from) as Setting;
  }
}

function firstSetting(clock: Clock): Setting {
  return { from: Number.NEGATIVE_INFINITY, offset: Math.floor((clock.now() - clock.monotonic()) * 1024) / 1024 };
}

const scales = new WeakMap<Clock, WallScale>();

/** One for all who share a clock: an instant that several of them tell is the same. */
export function wallScaleOf(clock: Clock): WallScale {
  let scale = scales.get(clock);
  if (scale === undefined) {
    scale = new WallScale(clock);
    scales.set(clock, scale);
  }
  return scale;
}
