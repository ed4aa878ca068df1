/*
 * Room `limits`: how many may run at once and how often one may start: per task in a stage, and shared by name across pipelines.
 *
 * Holds: A limit is never exceeded in any window (invariant 4). A wait keeps priority order, and giving it up leaves nothing behind.
 * Refuses: to know stages, workers or items: it is given a claim and answers with a release.
 */

import type { RateLimit } from '../../schemas/definition.ts';
import type { Metadata } from '../../schemas/item.ts';

/** The port between a stage and what limits its tasks: this process, or one that counts for several. Types only. */

export interface Limit {
  /** At most so many at the same time. */
  concurrency?: number;
  /** At most so many starts in any window of that length. */
  rate?: RateLimit;
}

/** Gives a place back; to be called exactly once, when the attempt has ended. */
export type Release = () => void;

/** Why somebody waits, and until when (monotonic milliseconds) as far as that is known. */
export interface Blockage {
  reason: 'task-limit' | 'rate-limit';
  until?: number;
}

/** The claim with which an item asks for a place. */
export interface Claim {
  value: unknown;
  metadata: Metadata;
  priority: number;
}

/** A place that an attempt has. */
export interface Passed {
  release: Release;
  /** A server asks for a pause: nobody who shares the limit is let go for so long. null: nobody shares it. */
  hold: ((seconds: number) => void) | null;
}

/** The limits of one task in one stage. A stage asks its gate before every attempt of that task. */
export interface Gate {
  readonly current: Limit;
  /** A place, when there is one, in the order of priorities. Rejects with the signal's reason when that aborts first. */
  acquire(claim: Claim, signal: AbortSignal): Promise<Passed>;
  /** Why the next attempt would wait; null when it would not. */
  blockedBy(): Blockage | null;
  /** Takes effect at once, for those who wait too; those who run count. */
  change(limit: Limit): void;
  /** Counts an attempt that began before there was a gate. */
  occupy(): Release;
  /** Whether a start has come since {@link Gate.keptStarts} was called. */
  readonly hasNewStarts: boolean;
  /** The starts in its window for a store, on the scale of `lasting`. */
  keptStarts(lasting: (monotonic: number) => number): KeptStarts;
  /** Counts starts of an earlier process, at monotonic instants. To be called before anybody has come. */
  restore(starts: KeptStarts): void;
}

/** Starts, added up in slices of a window: the instant of the last start of each, and how many there were. */
export type KeptStarts = readonly (readonly [at: number, count: number])[];

/** A place under a limit that stages share. */
export interface SharedPass {
  /** The execution of a claim that is not the last begins now. Until then the place is taken, however long that is. */
  begin(): void;
  hold(seconds: number): void;
  /** To be called once. */
  release(): void;
}

/** A wait for such a place; it begins with its creation. */
export interface SharedWait {
  readonly pass: Promise<SharedPass>;
  /** The limit that is waited for. */
  readonly name: string;
  blockedBy(): Blockage | null;
}

/** How often an execution may begin. */
export interface AllowedRate {
  /** null: that depends on the claim, by its key or its weight. */
  perSecond: number | null;
  windowSeconds: number;
}

/** A limit that tasks of any stage and pipeline share. */
export interface SharedGate {
  readonly name: string;
  /** The limit by which a newcomer would wait now; null when none would, or when that depends on its key. */
  fullNow?(): (Blockage & { name: string }) | null;
  /** How many executions it lets begin in a time, and in windows of which length; null when it does not limit that. */
  rateNow?(): AllowedRate | null;
  /**
   * `pass` rejects with the signal's reason when that aborts first. `isLast`: nothing else is waited for, so that the execution begins with the pass; else it
   * begins with {@link SharedPass.begin}.
   */
  claim(claim: Claim, signal: AbortSignal, isLast: boolean): SharedWait;
}
