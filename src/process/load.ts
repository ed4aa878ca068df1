/**
 * Measures whether the process has more to do than it can, and says so before anything breaks: how late the event loop is, and how much of the memory
 * that it may use is in use.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Clock, type Logger, unref } from '../engine/ports.ts';

export interface LoadBounds {
  /** How late the event loop may be, in the mean of about a second; 0 for any. */
  loopDelaySeconds: number;
  /** The part of the memory that may be in use, in percent; 0 for all. */
  memoryPercent: number;
}

export interface LoadDeps {
  clock: Clock;
  logger: Logger;
  /** Told when there is too much of something, in words, and with null when it is over. */
  say(reason: string | null): void;
  /** The part of the memory in use, 0 to 1; by default {@link memoryInUse}. */
  memory?: () => number;
  /** Collects garbage; by default V8 is asked to. */
  collect?: () => void;
}

/** Between two measures. */
const LOOK_MS = 100;
/** Delays that are older than about this count little. */
const MEMORY_OF_DELAYS_MS = 1000;
/** A longer delay counts as this, and for no longer than half of it: a task that holds the loop once is no overload, nor is a process that was stopped. */
const DELAY_MAX_MS = 1000;
/** It is over when the delay is below this part of the bound, and memory by so many points. */
const DELAY_OVER = 0.5;
const POINTS_OVER = 5;
/**
 * Memory that is used up may be garbage, and where nothing is accepted nothing may be allocated, so that V8 would let it lie: it is collected before anything is refused. Collecting takes its time where
 * all of it is in use, so the next one comes after this, then after twice as long, and so on up to the second, until one has helped.
 */
const COLLECT_MS = [2000, 60_000] as const;

/** Memory is not looked at more often than this, however many ask. */
const MEMORY_LOOK_MS = 5;

export interface LoadWatch {
  /** Looks at the memory now: a few requests may fill what is left of a small one between two measures. */
  look(): void;
  stop(): void;
}

/** Measures from now on. Without bounds it measures nothing. */
export function watchLoad({ loopDelaySeconds, memoryPercent }: LoadBounds, deps: LoadDeps): LoadWatch {
  const { clock, logger, say, memory = memoryInUse, collect = collectGarbage } = deps;
  if (loopDelaySeconds === 0 && memoryPercent === 0) return { look: () => undefined, stop: () => undefined };
  const found = { delayMs: 0, percent: 0 };
  let before = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let last = clock.monotonic();
  let timer: unknown;
  let collection = { at: Number.NEGATIVE_INFINITY, pauseMs: COLLECT_MS[0] as number };
  /** Since when it is too much, by the clock. */
  let since: number | null = null;

  function measure(): void {
    const now = clock.monotonic();
    const passed = now - last;
    last = now;
    const weight = 1 - Math.exp(-Math.min(passed, DELAY_MAX_MS / 2) / MEMORY_OF_DELAYS_MS);
    found.delayMs += (Math.min(Math.max(0, passed - LOOK_MS), DELAY_MAX_MS) - found.delayMs) * weight;
    measureMemory(now);
  }

  function measureMemory(now: number): void {
    if (memoryPercent === 0 || now - lookedAt < MEMORY_LOOK_MS) return;
    lookedAt = now;
    const percent = memory() * 100;
    // Two in a row, unless it is nearly too late: what one of them finds is soon gone.
    found.percent = percent > (memoryPercent + 100) / 2 ? percent : Math.min(percent, before);
    before = percent;
    if (!isUsedUp() || now < collection.at) return;
    collect();
    before = memory() * 100;
    found.percent = Math.min(found.percent, before);
    const pauseMs = isUsedUp() ? Math.min(2 * collection.pauseMs, COLLECT_MS[1]) : COLLECT_MS[0];
    collection = { at: now + collection.pauseMs, pauseMs };
  }

  /** It is until less than the bound by some points is used, once it was. */
  function isUsedUp(): boolean {
    return memoryPercent > 0 && found.percent > memoryPercent - (since === null ? 0 : POINTS_OVER);
  }

  function reasonNow(): string | null {
    const isLate = since !== null;
    const delayBound = loopDelaySeconds * 1000 * (isLate ? DELAY_OVER : 1);
    if (loopDelaySeconds > 0 && found.delayMs > delayBound) return `its event loop is ${(found.delayMs / 1000).toFixed(1)} s late`;
    return isUsedUp() ? `${Math.round(found.percent)} % of its memory is in use` : null;
  }

  function look(): void {
    measure();
    judge();
    plan();
  }

  function judge(): void {
    const reason = reasonNow();
    if (reason !== null) {
      if (since === null) logger.warn({ reason }, 'overloaded: new items are refused');
      since ??= last;
      say(reason);
    } else if (since !== null) {
      logger.info({ seconds: (last - since) / 1000 }, 'no longer overloaded: new items are accepted');
      since = null;
      say(null);
    }
  }

  function plan(): void {
    timer = clock.setTimer(look, LOOK_MS);
    unref(timer);
  }

  plan();
  return {
    look() {
      measureMemory(clock.monotonic());
      judge();
    },
    stop() {
      clock.clearTimer(timer);
      say(null);
    },
  };
}

const MIB = 1024 * 1024;
/** The default of recent versions of V8. */
const SEMI_SPACE_MIB = 64;
/** The space for young objects is three of these, see V8's `YoungGenerationSizeFromSemiSpaceSize`. */
const SEMI_SPACES = 3;

/**
 * Bytes of the heap that objects which stay may use: V8 counts the space for young ones as part of its limit, and ends the process without it. `flags` are
 * those that Node was given.
 */
export function roomForOldObjects(heapSizeLimit: number, flags: string): number {
  const given = /--max[-_]semi[-_]space[-_]size[= ](\d+)/.exec(flags)?.[1];
  const young = SEMI_SPACES * Number(given ?? SEMI_SPACE_MIB) * MIB;
  return Math.max(heapSizeLimit - young, heapSizeLimit / 3);
}

const FLAGS = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');

/**
 * The part of its memory that the process uses, 0 to 1: of V8's heap, or of what the container may use if that is nearer to its end. The size of the process says
 * less: it stays large when memory is free again.
 */
export function memoryInUse(): number {
  const { used_heap_size: heap, heap_size_limit: limit, external_memory: external } = getHeapStatistics();
  const allowed = process.constrainedMemory();
  const ofContainer = allowed > 0 ? (heap + external) / allowed : 0;
  return Math.max(heap / roomForOldObjects(limit, FLAGS), ofContainer);
}

let gc: (() => void) | undefined;

/** A full collection: hundreds of milliseconds where gigabytes are in use. V8 hands its function out where it is told to expose it. */
function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString('--expose-gc');
    gc = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  gc();
}
