import type { Entry, Log, Place } from '../../../src/cluster/log/log.ts';
import type { FaultLog } from '../fault-log.ts';
import type { NodeClock } from './node-clock.ts';

/** The faults of the ways to the log, and of the log. Probabilities are for each question. */
export interface Faults {
  latencyMs: number;
  /** The answer is lost, and so may the question be; whoever asked is told of a failure at once, or never. */
  lost: number;
  /** The question arrives so late that nobody waits for it any more. */
  late: number;
}

export const NO_FAULTS: Faults = { latencyMs: 5, lost: 0, late: 0 };
const LATE_MS = 8000;
const POLL_MS = 1000;
const PATIENCE_MS = 3000;

/** A node's way to the log: everything takes time, and anything can be lost. */
export class Link implements Log {
  readonly kind = 'simulated log';
  readonly maxBytes = 65_536;
  isCut = false;
  private readonly server: FaultLog;
  private readonly clock: NodeClock;
  private readonly random: () => number;
  private readonly faults: () => Faults;
  private readonly committed: () => void;

  constructor(server: FaultLog, clock: NodeClock, random: () => number, faults: () => Faults, committed: () => void) {
    this.server = server;
    this.clock = clock;
    this.random = random;
    this.faults = faults;
    this.committed = committed;
  }

  append({ position, token }: Place, bytes: Uint8Array): Promise<void> {
    return this.ask(() => {
      this.server.put(position, bytes, token);
      this.committed();
    });
  }

  read(position: number): Promise<Entry | undefined> {
    return this.ask(() => this.entry(position));
  }

  ends(): Promise<{ first: number; last: number }> {
    return this.ask(() => ({ first: this.server.first, last: this.server.last }));
  }

  async follow(after: number, each: (entry: Entry) => Promise<void>, lost: (why: unknown) => void): Promise<{ stop(): Promise<void> }> {
    let isOver = false;
    let wake = (): void => undefined;
    const run = async (): Promise<void> => {
      let answeredAt = this.clock.monotonic();
      for (let position = after + 1; !isOver; ) {
        // Before it asks: an entry that gets there while the answer is under way is told, too.
        const waiting = this.server.wait();
        const entry = await this.ask(() => this.entry(position), 600).then(
          (found) => {
            answeredAt = this.clock.monotonic();
            return found;
          },
          (error: unknown) => {
            if (this.clock.monotonic() - answeredAt <= PATIENCE_MS) return;
            waiting.leave();
            throw error;
          },
        );
        if (isOver || entry !== undefined) waiting.leave();
        if (isOver) return;
        if (entry !== undefined) {
          await each(entry);
          position++;
          continue;
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        // A notification takes its time, too.
        void waiting.woken.then(() => this.server.clock.setTimer(() => this.clock.arrive(resolve), this.latency()));
        const timer = this.clock.setTimer(resolve, POLL_MS);
        await promise;
        waiting.leave();
        this.clock.clearTimer(timer);
      }
    };
    const done = run().catch((why: unknown) => {
      if (!isOver) lost(why);
    });
    return {
      stop: () => {
        isOver = true;
        wake();
        return done;
      },
    };
  }

  async trim(): Promise<void> {}

  async close(): Promise<void> {}

  private entry(position: number): Entry | undefined {
    const bytes = this.server.entries.get(position);
    return bytes && { position, bytes };
  }

  private latency(): number {
    return this.faults().latencyMs * (0.2 + 1.6 * this.random());
  }

  /** A question that is asked, and carried out in the log, in one turn; with answer there, or none. `giveUpMs`: the asker's own patience. */
  private ask<T>(carryOut: () => T, giveUpMs = Number.POSITIVE_INFINITY): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const { server, clock } = this;
    if (giveUpMs < Number.POSITIVE_INFINITY) clock.setTimer(() => reject(new Error('the log does not answer')), giveUpMs);
    const fate = this.random();
    const { lost, late } = this.faults();
    const fail = (): void => {
      // Some failures are noticed, as by a connection that is reset; others are not.
      if (this.random() < 0.5) clock.arrive(() => reject(new Error('the connection was cut')));
    };
    const arriveAtLog = async (): Promise<void> => {
      if (this.isCut || fate < lost / 2) return fail();
      await server.answer();
      if (clock.isDead && this.random() < 0.5) return;
      let answer: () => void;
      try {
        const value = carryOut();
        answer = () => resolve(value);
      } catch (error) {
        answer = () => reject(error);
      }
      server.clock.setTimer(() => (fate < lost || this.isCut ? fail() : clock.arrive(answer)), this.latency());
    };
    const isLate = fate > 1 - late;
    if (isLate) fail();
    server.clock.setTimer(() => void arriveAtLog(), isLate ? LATE_MS * this.random() : this.latency());
    return promise;
  }
}
