import { type Entry, type Log, LogConflict, type Place } from '../../src/cluster/log/log.ts';
import { NO_TOKEN, tokenOf } from '../../src/cluster/log/token.ts';
import type { Clock } from '../../src/engine/ports.ts';

/** How the next append fares, in the log and for whoever has asked. */
export type Fate =
  /** It is there, and the answer is lost. */
  | 'ack lost'
  /** It is there at once, and the answer comes late. */
  | 'ack late'
  /** It gets there late, though whoever asked was told of a failure. */
  | 'lands late'
  /** It is not there, and whoever asked is told of a failure that says nothing. */
  | 'fails'
  /** It is not there, and nobody is told anything. */
  | 'lost';

interface Waiting {
  wake: () => void;
}

/** The log itself, as the server has it; nodes have links to it. */
export class FaultLog {
  readonly kind = 'fault log';
  readonly maxBytes: number;
  readonly clock: Clock;
  /** By position; what is trimmed is gone. */
  readonly entries = new Map<number, Uint8Array>();
  /** By entry, which never changes: each token is asked for many times. */
  private readonly tokens = new WeakMap<Uint8Array, string>();
  last = 0;
  first = 0;
  /** Nothing answers, and nothing is done. */
  private stalled: PromiseWithResolvers<void> | null = null;
  private readonly waiting = new Set<Waiting>();

  constructor(clock: Clock, maxBytes = 1024 * 1024) {
    this.clock = clock;
    this.maxBytes = maxBytes;
  }

  link(latencyMs = 0): FaultLink {
    return new FaultLink(this, latencyMs);
  }

  set isStalled(isStalled: boolean) {
    if (isStalled) this.stalled ??= Promise.withResolvers();
    else {
      this.stalled?.resolve();
      this.stalled = null;
    }
  }

  /** Resolves at once, or when the log is not stalled any more. */
  async answer(): Promise<void> {
    while (this.stalled !== null) await this.stalled.promise;
  }

  /** The token of the last entry. */
  get token(): string {
    return this.tokenAt(this.last);
  }

  tokenAt(position: number): string {
    const bytes = this.entries.get(position);
    if (bytes === undefined) return NO_TOKEN;
    const token = this.tokens.get(bytes) ?? tokenOf(bytes);
    this.tokens.set(bytes, token);
    return token;
  }

  /** The decision, in one turn. Without a token the last entry is the right one, whatever it is. */
  put(expected: number, bytes: Uint8Array, token = this.token): void {
    if (bytes.length > this.maxBytes) throw new RangeError(`${bytes.length} bytes are more than an entry may have`);
    if (expected !== this.last) throw new LogConflict(`the last entry is ${this.last}, not ${expected}`);
    if (token !== this.token) throw new LogConflict(`the last entry is another ${expected}`);
    this.last++;
    if (this.first === 0) this.first = this.last;
    this.entries.set(this.last, new Uint8Array(bytes));
    this.tell();
  }

  /** The last entries are gone, though they were acknowledged. */
  loseTail(count: number): void {
    for (let i = 0; i < count && this.last > 0; i++) this.entries.delete(this.last--);
    if (this.last < this.first) this.first = this.last;
  }

  trim(upTo: number): void {
    for (; this.first <= upTo && this.first < this.last; this.first++) this.entries.delete(this.first);
  }

  wait(): { woken: Promise<void>; leave: () => void } {
    const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
    const waiting = { wake };
    this.waiting.add(waiting);
    const leave = (): void => {
      this.waiting.delete(waiting);
      wake();
    };
    return { woken, leave };
  }

  private tell(): void {
    for (const { wake } of this.waiting) wake();
    this.waiting.clear();
  }
}

/** A node's way to the log. */
export class FaultLink implements Log {
  readonly server: FaultLog;
  readonly kind: string;
  readonly maxBytes: number;
  /** What becomes of the next appends, the first one first; when there is none left all is well. */
  readonly fates: Fate[] = [];
  /** Appends that reached the log, whatever became of them. */
  appends = 0;
  /** The bytes of each append that was asked for. */
  readonly asked: { after: Place; bytes: Uint8Array }[] = [];
  lateMs = 60_000;
  /** Reads fail. */
  isBlind = false;
  private readonly latencyMs: number;

  constructor(server: FaultLog, latencyMs: number) {
    this.server = server;
    this.kind = server.kind;
    this.maxBytes = server.maxBytes;
    this.latencyMs = latencyMs;
  }

  async append({ position, token }: Place, bytes: Uint8Array): Promise<void> {
    const { server } = this;
    const fate = this.fates.shift();
    this.asked.push({ after: { position, token }, bytes: new Uint8Array(bytes) });
    await this.pass(this.latencyMs);
    await server.answer();
    this.appends++;
    switch (fate) {
      case undefined:
        server.put(position, bytes, token);
        return;
      case 'ack lost':
        server.put(position, bytes, token);
        throw new Error('the connection was cut');
      case 'ack late':
        server.put(position, bytes, token);
        return this.pass(this.lateMs);
      case 'lands late':
        void this.pass(this.lateMs).then(() => this.putLate({ position, token }, bytes));
        throw new Error('the connection was cut');
      case 'fails':
        throw new Error('the connection was refused');
      case 'lost':
        return new Promise(() => undefined);
    }
  }

  async read(position: number): Promise<Entry | undefined> {
    await this.reading();
    const bytes = this.server.entries.get(position);
    return bytes && { position, bytes: new Uint8Array(bytes) };
  }

  async ends(): Promise<{ first: number; last: number }> {
    await this.reading();
    const { first, last } = this.server;
    return { first, last };
  }

  async follow(after: number, each: (entry: Entry) => Promise<void>, lost: (why: unknown) => void): Promise<{ stop(): Promise<void> }> {
    await this.reading();
    let isOver = false;
    let leave = (): void => undefined;
    const run = async (): Promise<void> => {
      for (let position = after + 1; !isOver; ) {
        const waiting = this.server.wait();
        leave = waiting.leave;
        if (this.server.first > position) throw new Error(`entry ${position} is gone`);
        const bytes = this.server.entries.get(position);
        if (bytes === undefined) {
          await waiting.woken;
          continue;
        }
        waiting.leave();
        await this.reading();
        if (!isOver) await each({ position, bytes: new Uint8Array(bytes) });
        position++;
      }
    };
    const done = run().catch((why: unknown) => {
      if (!isOver) lost(why);
    });
    return {
      stop: () => {
        isOver = true;
        leave();
        return done;
      },
    };
  }

  async trim(upTo: number): Promise<void> {
    await this.reading();
    this.server.trim(upTo);
  }

  async close(): Promise<void> {}

  private putLate({ position, token }: Place, bytes: Uint8Array): void {
    try {
      this.server.put(position, bytes, token);
    } catch (error) {
      if (!(error instanceof LogConflict)) throw error;
    }
  }

  private async reading(): Promise<void> {
    await this.pass(this.latencyMs);
    await this.server.answer();
    if (this.isBlind) throw new Error('the connection was cut');
  }

  private pass(ms: number): Promise<void> {
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve) => void this.server.clock.setTimer(resolve, ms));
  }
}
