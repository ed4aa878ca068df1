/**
 * Room `hands`: both sides of the connection between an owner and a hand. This is the owner's: it gives each call to the hand with the fewest, by its capacity, among those that have its task, and has it called again elsewhere when that hand
 * is lost.
 *
 * A lost hand may have been ended by any call that it had. So these are suspects from then on: a hand has at most one of them, beside others. When a hand with a suspect is
 * lost, that one alone is counted, else each of its calls. The suspect that the next loss would condemn runs with nothing beside it, for as long as others can wait; lost alone, and counted
 * `maxDeliveries` times, it fails for good. Calls of a hand that gave them back, or that is still there under another connection, are not counted.
 *
 * When the last hand that has a task has gone for a while, its calls that may run in this process do, suspects never: see {@link Presence}.
 *
 * Holds: A call has one answer, from one hand, whatever becomes of others that had it. The loss of a hand is no attempt of its calls.
 * Refuses: to decide what runs, and how much at once: that is the engine's. It knows neither log nor store.
 */
import { AbortedError, PermanentError, revive } from '../../engine/index.ts';
import { type Clock, type HandJob, type HandRunner, type Logger, unref } from '../../engine/ports.ts';
import type { HandMeasurements, HandsView, WaitingCalls } from '../../schemas/hands.ts';
import type { TaskKind } from '../../schemas/task.ts';
import { HandCounts } from './counts.ts';
import { LackOfHands } from './lack-of-hands.ts';
import { type HandLink, Member, type OwnTasks } from './member.ts';
import { PoolJob } from './pool-job.ts';
import { Presence } from './presence.ts';
import { CLOSE, errorOf, type FromHand, type Hello, keyOf } from './protocol.ts';
import { ReturningCalls } from './returning-calls.ts';
import { WaitingJobs } from './waiting-jobs.ts';

export interface HandPoolOptions {
  clock: Clock;
  logger: Logger;
  /** The tasks that hands must have as they are here. */
  tasks: OwnTasks;
  /** That of the ownership; a hand that sees a higher one aborts what it has. */
  epoch: () => number;
  /** Hands are on their way, whether one is there or not. */
  isExpected: boolean;
  maxDeliveries: number;
  beatMs: number;
  /** Told of a hand that is connected and says nothing. */
  onSilent?: (name: string) => void;
}

/** A hand that says nothing for so many beats is lost. */
const SILENT_BEATS = 3;
/** Others wait no longer than this for a suspect that runs alone. */
const ALONE_MS = 60_000;

export class HandPool implements HandRunner {
  readonly counts = new HandCounts();
  private readonly options: HandPoolOptions;
  private readonly members = new Set<Member>();
  private readonly waiting = new WaitingJobs();
  /** Where the jobs are that have a hand. */
  private readonly holders = new Map<PoolJob, Member>();
  private readonly lacks: LackOfHands;
  private lastNumber = 0;
  private readonly presence: Presence;
  private readonly returns: ReturningCalls;
  private beats: unknown;
  private isClosed = false;

  constructor(options: HandPoolOptions) {
    this.options = options;
    this.presence = new Presence(this.members, options.clock, options.isExpected);
    this.lacks = new LackOfHands(this.members, options.logger);
    const { waiting, presence } = this;
    this.returns = new ReturningCalls({ ...options, waiting, presence, makeHere: (job) => this.makeHere(job) });
  }

  isThereFor(kind: TaskKind, name: string): boolean {
    return this.presence.isFor(keyOf({ kind, name }));
  }

  get size(): number {
    return this.members.size;
  }

  async run(job: HandJob, signal: AbortSignal): Promise<unknown> {
    if (this.isClosed) throw closedError();
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      this.place(new PoolJob(++this.lastNumber, job, signal, { resolve, reject, onAbort: (aborted) => this.onAbort(aborted) }));
    });
  }

  /** A hand has connected. One that connects again takes the place of its earlier connection. */
  join(hello: Hello, link: HandLink): Member {
    for (const member of this.members) {
      if (member.instance !== hello.instance) continue;
      this.leave(member, 'it has connected again', false);
      member.link.cut();
    }
    const { clock, logger, tasks, beatMs } = this.options;
    const member = new Member(this.freeName(hello.name), hello, link, tasks, clock.now());
    this.members.add(member);
    const { name: hand, version, capacity, fault } = member;
    if (fault === null) logger.info({ hand, capacity }, 'a hand has connected');
    else
      logger.warn(
        { hand, version, capacity, fault, missing: member.view().missing },
        'a hand has connected that is given less than others',
      );
    this.beats ??= this.planBeat(beatMs);
    this.lacks.ended(member);
    this.feed(member);
    return member;
  }

  /** Takes a message of a hand that has been checked. */
  receive(member: Member, message: FromHand): void {
    if (member.isGone || message.t === 'beat' || message.t === 'hello') return;
    if (message.t === 'log') {
      this.options.logger[message.level]({ ...message.fields, hand: member.name }, message.text);
      return;
    }
    if (message.t === 'leaving') {
      member.isLeaving = true;
      this.options.logger.info({ hand: member.name, running: member.running }, 'a hand is leaving');
      this.unreserve(member);
      return;
    }
    const job = member.places.get(message.id)?.job;
    // An answer to an earlier delivery, or one that has crossed an abort.
    if (job === undefined) return;
    if (message.t === 'begin') {
      if (job.isSettled || job.hasBegun) return;
      job.hasBegun = true;
      job.job.onBegin();
    } else if (message.t === 'status') {
      if (!job.isSettled) job.job.onStatus(message.text);
    } else if (message.t === 'progress') {
      if (!job.isSettled) job.job.onProgress(message.fraction);
    } else {
      this.take(member, job);
      if (message.t === 'value') job.succeed(message.value);
      else if (message.t === 'error') job.fail(revive(errorOf(message.error)));
      else if (!job.isSettled) {
        // Given back, or aborted by the hand of its own accord: it runs elsewhere.
        if (message.t === 'back' && message.why === 'unknown-task') member.lacks(job.key);
        this.placeAgain(job);
      }
      this.feed(member);
    }
  }

  /** The connection of a hand has ended. */
  lost(member: Member, why: string): void {
    if (!member.isGone) this.leave(member, why, true);
  }

  view(): HandsView {
    const waiting = [...this.waiting.counts().values()].map(
      ({ job: { job, key }, calls }): WaitingCalls => ({ task: job.use.name, kind: job.use.kind, calls, why: this.lacks.why(key) }),
    );
    return { hands: [...this.members].map((member) => member.view()), waiting };
  }

  measure(): HandMeasurements {
    return this.counts.measured(this.members, this.waiting.size);
  }

  /** They are sent to another owner: none of them is lost. */
  letGo(): void {
    for (const member of this.members) member.isLeaving = true;
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.options.clock.clearTimer(this.beats);
    this.returns.end();
    for (const job of [...this.waiting.all(), ...this.holders.keys()]) job.fail(closedError());
    for (const member of this.members) {
      member.isGone = true;
      member.link.close(CLOSE.goingAway, 'the service ends');
    }
    this.members.clear();
    this.holders.clear();
  }

  /** Gives it to a hand, or has it wait for one. */
  private place(job: PoolJob): void {
    if (this.isClosed) {
      job.fail(closedError());
      return;
    }
    const isLone = job.isSuspect && job.deliveries >= this.options.maxDeliveries - 1;
    const member = isLone || (!job.isSuspect && this.waiting.hasBefore(job.key)) ? null : this.leastLoaded(job);
    if (member !== null) {
      this.give(member, job);
      return;
    }
    if (job.mayRunHere && !this.presence.isFor(job.key)) {
      this.makeHere(job);
      return;
    }
    this.waiting.add(job, isLone);
    if (isLone) this.reserve(job);
    this.lacks.tell(job.key);
    this.returns.waits(job);
  }

  private placeAgain(job: PoolJob): void {
    this.counts.givenAgain++;
    job.waitAgain();
    this.place(job);
  }

  private makeHere(job: PoolJob): void {
    this.counts.madeHere++;
    job.runHere();
  }

  private leastLoaded(job: PoolJob): Member | null {
    let found: Member | null = null;
    let load = 1;
    for (const member of this.members) {
      if (!member.isFree || !member.hasTask(job.key) || (job.isSuspect && member.suspect !== null)) continue;
      const own = member.running / member.capacity;
      if (own >= load) continue;
      found = member;
      load = own;
      // None has fewer.
      if (own === 0) break;
    }
    return found;
  }

  /** Keeps the hand that is free soonest for a job that must run alone. */
  private reserve(job: PoolJob): void {
    let found: Member | null = null;
    for (const member of this.members) {
      if (member.isLeaving || member.lone !== null || !member.hasTask(job.key)) continue;
      if (found === null || member.running < found.running) found = member;
    }
    if (found === null) return;
    found.lone = job;
    this.feed(found);
  }

  /** A hand that is kept free for a job is so no longer. */
  private unreserve(member: Member): void {
    const { lone } = member;
    if (lone === null || member.places.has(lone.id)) return;
    member.lone = null;
    if (!lone.isSettled) this.reserve(lone);
  }

  /** Gives a hand what waits for it. */
  private feed(member: Member): void {
    if (this.isClosed || member.isGone || member.isLeaving) return;
    const has = (key: string): boolean => member.hasTask(key);
    if (member.running === 0) {
      const lone = member.lone ?? this.waiting.nextLone(has);
      if (lone !== null) {
        const kept = [...this.members].filter((other) => other !== member && other.lone === lone);
        this.waiting.delete(lone);
        this.giveAlone(member, lone);
        for (const other of kept) {
          other.lone = null;
          this.feed(other);
        }
        return;
      }
    }
    while (member.isFree) {
      const job = this.waiting.next(has, member.suspect === null);
      if (job === null) return;
      this.waiting.delete(job);
      this.give(member, job);
    }
  }

  private giveAlone(member: Member, job: PoolJob): void {
    member.lone = job;
    this.give(member, job);
    const later = this.options.clock.setTimer(() => {
      if (member.lone !== job) return;
      member.lone = null;
      this.feed(member);
    }, ALONE_MS);
    unref(later);
  }

  private give(member: Member, job: PoolJob): void {
    job.attempt++;
    let text: string;
    try {
      text = job.message(this.options.epoch());
    } catch (error) {
      if (member.lone === job) member.lone = null;
      job.fail(new PermanentError(`the call cannot be sent to a hand: ${(error as Error).message}`));
      return;
    }
    if (job.isSuspect) member.suspect = job;
    this.holders.set(job, member);
    member.places.set(job.id, { job, sending: member.link.send(text), isAborted: false });
  }

  /** Takes a job's place at its hand away. */
  private take(member: Member, job: PoolJob): void {
    member.places.delete(job.id);
    this.holders.delete(job);
    if (member.suspect === job) member.suspect = null;
    if (member.lone === job) member.lone = null;
  }

  private onAbort(job: PoolJob): void {
    if (this.waiting.delete(job)) {
      for (const member of this.members) {
        if (member.lone !== job) continue;
        member.lone = null;
        this.feed(member);
      }
      return;
    }
    const member = this.holders.get(job);
    const place = member?.places.get(job.id);
    if (member === undefined || place === undefined) return;
    if (place.sending.cancel()) {
      this.take(member, job);
      this.feed(member);
      return;
    }
    place.isAborted = true;
    member.link.send(JSON.stringify({ t: 'abort', id: job.id, reason: job.abortReason }));
  }

  private leave(member: Member, why: string, isCounted: boolean): void {
    const { clock, logger, maxDeliveries } = this.options;
    member.isGone = true;
    this.members.delete(member);
    if (isCounted && !member.isLeaving) this.counts.lost++;
    this.presence.left(member);
    const jobs = [...member.places.values()].map(({ job }) => job);
    const wasAlone = jobs.length === 1;
    const active = jobs.filter((job) => !job.isSettled);
    const { suspect } = member;
    for (const job of jobs) this.take(member, job);
    logger[active.length > 0 ? 'warn' : 'info']({ hand: member.name, why, running: active.length }, 'a hand has gone');
    for (const job of active) {
      if (isCounted) {
        if (suspect === null || suspect.isSettled || suspect === job) job.deliveries++;
        job.isSuspect = true;
      }
      if (isCounted && wasAlone && job.deliveries >= maxDeliveries) job.fail(poison(job.deliveries));
      else this.placeAgain(job);
    }
    this.unreserve(member);
    this.returns.left(member);
    if (this.members.size > 0) return;
    clock.clearTimer(this.beats);
    this.beats = undefined;
  }

  private planBeat(ms: number): unknown {
    const timer = this.options.clock.setTimer(() => {
      this.beats = this.planBeat(ms);
      this.beat();
    }, ms);
    unref(timer);
    return timer;
  }

  private beat(): void {
    for (const member of [...this.members]) {
      if (!member.link.isAllowed()) {
        member.link.close(CLOSE.notAllowed, 'its key no longer admits it');
        this.leave(member, 'its key no longer admits it', false);
      } else if (member.silentBeats++ >= SILENT_BEATS) {
        this.leave(member, `nothing was heard of it for ${SILENT_BEATS} beats`, true);
        member.link.close(CLOSE.silent, 'nothing was heard of it');
        member.link.cut();
        this.options.onSilent?.(member.name);
      } else member.link.send('{"t":"beat"}');
    }
  }

  private freeName(name: string): string {
    const taken = new Set([...this.members].map((member) => member.name));
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}#${i}`;
    return free;
  }
}

function closedError(): Error {
  return new AbortedError('the hands are let go of');
}

/** As an item that ends its process again and again: the same name, and no retry. */
function poison(times: number): Error {
  const error = new PermanentError(`${times} hands that ran it were lost, the last one while it ran nothing else`);
  error.name = 'PoisonItem';
  return error;
}
