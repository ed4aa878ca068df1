/** A stretch of time that is measured has at least so many marks… */
const MARKS_LEAST = 4;
/** … takes at least so long, … */
const STRETCH_MS = 8000;
/** … and is not made longer than this, unless it has few marks. */
const STRETCH_MOST_MS = 60_000;
const MARKS_MOST = 16;
/** Two stretches are alike when their rates differ by no more than this share of the newer one and so many standard errors of it… */
const ALIKE = 0.05;
const ERRORS_ALIKE = 2;
/** … and unlike when by so many; in between, they are more or less so. */
const ERRORS_UNLIKE = 7;
/** A mark is made at most so often. */
const MARK_MS = 250;
/** When there are so many marks, every second one of the older half is dropped. */
const MARKS_KEPT = 64;
/** Nothing is late before it has been waited for so many times as long as ever in the stretch, and never before so long. */
const LATE = 2;
const LATE_LEAST_MS = 1000;
/** A wait is a break when it is so many times as long as that. */
const BREAK = 2;

/** After a burst that nothing like it has preceded, silence counts from so long on. */
const LATE_AFTER_BURST_MS = 8000;

interface Stretch {
  perMs: number;
  /** How often it happened. */
  times: number;
  /** The standard error of that rate. */
  error: number;
  /** The longest time between two of its marks. */
  gapMs: number;
}

/**
 * The rate at which something happens, estimated from when it happened lately; the one estimator behind every rate and every time that is still
 * needed. It keeps **marks**: an instant and how often it had happened by then. A mark is made by the last occurrence before a gap of 250 ms, and by those that are
 * 250 ms apart where there is no gap.
 *
 *     rate = (count at the newest mark − count at the first mark of the stretch) / (time between these marks)
 *
 * Both ends of the stretch are occurrences, so what comes in bursts (ten workers, five seconds each) is measured in whole bursts. The stretch begins 8
 * seconds and 4 marks ago, or earlier. It is doubled, up to a minute or 16 marks, as long as the part before is like it: their rates differ by at most 5 %
 * and two standard errors, which are computed from how far what happened between two marks of the last 8 seconds is from their average. At 5 % and seven of
 * them it ends there, and in between the rates of the shorter and the longer stretch are blended. So what is regular follows a change within 10 seconds,
 * what is irregular is averaged over up to a minute and does not jump, and nothing before a clear change counts.
 *
 * Time between the newest occurrence and now does not count, since the next one may just be due. Once nothing has happened for twice the longest gap in
 * the stretch (at least a second), the rate falls in inverse proportion to the wait; by the clock on the wall after 8 seconds, when more than half of the stretch
 * was one burst at its end.
 *
 * Instants are milliseconds of any clock that does not go back. On one that stands still while nobody works, idle time is not averaged in. By the clock on
 * the wall, a rate can begin with the first occurrence, and anew after a break, i.e. a wait of four times the longest gap.
 */
export class Pace {
  /** How often it has happened. */
  total = 0;
  private startsAt: number;
  /** How often it had happened before {@link Pace.startsAt}. */
  private startsWith = 0;
  private readonly hasBreaks: boolean;
  private lastAt: number;
  /** When the last mark was made, or, if later, what follows a gap began. */
  private openSince: number;
  /** Whether all that has happened is in marks. */
  private isMarked = true;
  private times: number[] = [];
  private counts: number[] = [];

  /** Measures from `startsAt` on; null: from the first occurrence, which does not count then, and anew after each break. */
  constructor(startsAt: number | null) {
    this.hasBreaks = startsAt === null;
    this.startsAt = Math.floor(startsAt ?? 0);
    this.lastAt = this.startsAt;
    this.openSince = this.startsAt;
  }

  /** It happened at `instant`, so many times; `instant` MUST NOT go back from call to call. */
  add(instant: number, times = 1): void {
    // Whole numbers need no memory of their own when they are kept, and most things happen in a millisecond that is known already.
    const at = Math.floor(instant);
    if (at === this.lastAt && this.total > this.startsWith) {
      this.total += times;
      this.isMarked = false;
      return;
    }
    this.total++;
    this.arrive(at);
    if (times === 1) return;
    this.total += times - 1;
    this.isMarked = false;
  }

  /** The first that happens in its millisecond. */
  private arrive(at: number): void {
    if (at - this.lastAt >= MARK_MS) {
      this.close(this.total - 1);
      this.openSince = at;
    }
    if (this.hasBreaks && (this.total === 1 || at - this.lastAt > BREAK * LATE_LEAST_MS)) this.mayStart(at);
    this.lastAt = at;
    this.isMarked = false;
    if (at - this.openSince < MARK_MS) return;
    this.close();
    this.openSince = at;
  }

  /** Milliseconds from the start to the newest occurrence. */
  get spanMs(): number {
    return this.lastAt - this.startsAt;
  }

  /** Milliseconds since the start. */
  elapsed(at: number): number {
    return at - this.startsAt;
  }

  /**
   * Times a second; 0 when it has never happened. Until there are four marks it is the average since the start, which of several that began at the start
   * together says little before all have ended: `isKnown` says whether it can be trusted.
   */
  perSecond(at: number): number {
    if (this.total === this.startsWith) return 0;
    if (at - this.lastAt >= MARK_MS) this.close();
    const stretch = this.stretch();
    const { perMs } = stretch;
    const late = this.isBurst(stretch) ? Math.min(lateAfter(stretch), LATE_AFTER_BURST_MS) : lateAfter(stretch);
    const since = at - this.lastAt;
    if (since <= late) return 1000 * perMs;
    const falling = (1000 * perMs * late) / since;
    // Several at the start, and then nothing, say no more than their average.
    return this.times.length < MARKS_LEAST ? Math.min(falling, (1000 * stretch.times) / (at - this.startsAt)) : falling;
  }

  /** Whether the rate is more than a first impression. `atOnce`: how many of those that are measured may be under way at the same time. */
  isKnown(atOnce: number): boolean {
    return this.total > 0 && (this.total >= atOnce || this.times.length >= MARKS_LEAST);
  }

  /**
   * Whether more than half of a stretch happened at once, as the last of it: several feeds of equal size have a rate, but the second one does not say that a third follows after
   * as long a pause.
   */
  private isBurst({ times }: Stretch): boolean {
    if (!this.hasBreaks) return false;
    const newest = (this.counts.at(-1) ?? this.startsWith) - (this.counts.at(-2) ?? this.startsWith);
    return newest > 1 && 2 * newest > times;
  }

  /** Starts anew with the first occurrence, or with the first after a break. */
  private mayStart(at: number): void {
    if (this.total > 1 && (this.times.length < 2 || at - this.lastAt <= BREAK * lateAfter(this.stretch()))) return;
    this.startsAt = at;
    this.startsWith = this.total;
    this.openSince = at;
    this.times = [];
    this.counts = [];
  }

  /** Makes a mark of the newest occurrence. */
  private close(total = this.total): void {
    if (this.isMarked) return;
    this.isMarked = true;
    this.times.push(this.lastAt);
    this.counts.push(total);
    if (this.times.length < MARKS_KEPT) return;
    const isLeft = (_: number, i: number): boolean => i > MARKS_KEPT / 2 || i % 2 === 0;
    this.times = this.times.filter(isLeft);
    this.counts = this.counts.filter(isLeft);
  }

  private stretch(): Stretch {
    if (this.times.length >= MARKS_LEAST) return this.recent();
    // Of what begins with its first occurrences, all at one instant, no rate can be told yet.
    if (this.hasBreaks && this.spanMs < MARK_MS) return { perMs: 0, times: this.total - this.startsWith, error: 0, gapMs: 0 };
    const spanMs = Math.max(1, this.spanMs);
    const times = this.total - this.startsWith;
    return { perMs: times / spanMs, times, error: 0, gapMs: spanMs };
  }

  private recent(): Stretch {
    const last = this.times.length - 1;
    let first = this.before(last, STRETCH_MS);
    let stretch = this.between(first, last);
    const { perMs, error, gapMs } = stretch;
    const startMs = this.at(last) - this.at(first);
    let blended = 0;
    let rest = 1;
    for (;;) {
      const lengthMs = this.at(last) - this.at(first);
      const earlier = lengthMs >= STRETCH_MOST_MS && last - first >= MARKS_MOST ? first : this.before(first, lengthMs);
      if (first - earlier < MARKS_LEAST) break;
      const differs = Math.abs(this.between(earlier, first).perMs - stretch.perMs) - ALIKE * perMs;
      const unlike = unlikeness(differs, error * Math.sqrt(startMs / lengthMs));
      blended += rest * unlike * stretch.perMs;
      rest *= 1 - unlike;
      if (rest === 0) break;
      first = earlier;
      stretch = this.between(first, last);
    }
    return { perMs: blended + rest * stretch.perMs, times: stretch.times, error, gapMs: Math.max(gapMs, rest * stretch.gapMs) };
  }

  /** The mark that is at least so long and four marks before another one, or the first one. */
  private before(mark: number, lengthMs: number): number {
    let first = mark;
    while (first > 0 && (mark - first < MARKS_LEAST || this.at(mark) - this.at(first) < lengthMs)) first--;
    return first;
  }

  private between(first: number, last: number): Stretch {
    const { counts } = this;
    const spanMs = this.at(last) - this.at(first);
    const times = (counts[last] as number) - (counts[first] as number);
    const perMs = times / spanMs;
    let squares = 0;
    let gapMs = 0;
    for (let i = first + 1; i <= last; i++) {
      const ms = this.at(i) - this.at(i - 1);
      squares += ((counts[i] as number) - (counts[i - 1] as number) - perMs * ms) ** 2;
      gapMs = Math.max(gapMs, ms);
    }
    const parts = last - first;
    const error = Math.sqrt((squares * parts) / (parts - 1)) / spanMs;
    return { perMs, times, error, gapMs };
  }

  private at(mark: number): number {
    return this.times[mark] as number;
  }
}

function lateAfter({ gapMs }: Stretch): number {
  return Math.max(LATE * gapMs, LATE_LEAST_MS);
}

/** 0: alike, to 1: unlike. */
function unlikeness(differs: number, error: number): number {
  if (differs <= ERRORS_ALIKE * error) return 0;
  return differs >= ERRORS_UNLIKE * error ? 1 : (differs / error - ERRORS_ALIKE) / (ERRORS_UNLIKE - ERRORS_ALIKE);
}
