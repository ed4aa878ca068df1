import { hash } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { type Received, StreamParser } from '../sse-harness.ts';
import { encode } from './texts.ts';

interface StatusData {
  itemId: string;
  status: string;
  final: boolean;
}

/** Reads all events of a pipeline from the first on, and keeps nothing of them but what they add up to. */
export class Follower {
  /** What is wrong with the events: a number that is missing or comes twice, an item that ends twice. */
  readonly faults: string[] = [];
  /** How often items ended so. */
  readonly ends = { completed: 0, failed: 0, cancelled: 0, skipped: 0 };
  /** The last status event of each item. */
  readonly last = new Map<string, { status: string; final: boolean }>();
  /** Items that had ended and went on without being queued anew. */
  passedOn = 0;
  seq = 0;
  /** The first events were no longer kept when it began to read. */
  isPartial = false;
  closed = false;
  /** Of each event its hash and its beginning. */
  private readonly texts: string[] = [];
  private readonly message: IncomingMessage;
  private readonly epoch: string;
  private readonly watchers = new Set<() => void>();

  private constructor(message: IncomingMessage, epoch: string) {
    this.message = message;
    this.epoch = epoch;
    const parser = new StreamParser();
    message.on('data', (chunk: Buffer) => {
      parser.write(chunk);
      for (const event of parser.events.splice(0)) this.take(event);
      this.notify();
    });
    message.on('error', () => undefined);
    message.on('close', () => {
      this.closed = true;
      this.notify();
    });
  }

  static async open(port: number, pipeline: string, asOf: string): Promise<Follower> {
    const epoch = asOf.slice(0, asOf.lastIndexOf('-'));
    const path = `/pipelines/${encode(pipeline)}/events?types=status,task,result,pipeline,feed`;
    const request = get({ port, host: '127.0.0.1', path, agent: false, headers: { 'last-event-id': `${epoch}-0` } });
    const [message] = (await once(request, 'response')) as [IncomingMessage];
    return new Follower(message, epoch);
  }

  /** What this reader and one who came at another time have read differently; null when they have read the same. */
  differsFrom(other: Follower): string | null {
    if (this.isPartial || other.isPartial) return null;
    const at = Array.from({ length: Math.min(this.seq, other.seq) }).findIndex((_, i) => this.texts[i] !== other.texts[i]);
    return at < 0 ? null : `${this.texts[at]} and ${other.texts[at]}`;
  }

  /** Resolves when it has read that far, or can't any more; false when there is more than that already. */
  reached(asOf: string): Promise<boolean> {
    const wanted = Number(asOf.slice(asOf.lastIndexOf('-') + 1));
    return new Promise((resolve) => {
      const watch = (): void => {
        if (this.seq < wanted && !this.closed) return;
        this.watchers.delete(watch);
        if (this.seq < wanted) this.faults.push(`its events end at ${this.seq}, the statistics are as of ${wanted}`);
        resolve(this.seq <= wanted);
      };
      this.watchers.add(watch);
      watch();
    });
  }

  close(): void {
    this.message.destroy();
  }

  private take({ event, data, id }: Received): void {
    if (event === 'gap') {
      const { oldest } = JSON.parse(data) as { oldest: string };
      if (this.seq > 0) this.faults.push(`a gap after event ${this.seq}: ${data}`);
      this.isPartial = true;
      this.seq = Number(oldest.slice(oldest.lastIndexOf('-') + 1)) - 1;
    }
    if (id === undefined) return;
    if (id !== `${this.epoch}-${++this.seq}`) {
      this.faults.push(`event ${id} where ${this.epoch}-${this.seq} belongs`);
      this.seq = Number(id.slice(id.lastIndexOf('-') + 1));
    }
    const told = event === 'result' ? resultOf(data) : data;
    this.texts.push(`${hash('md5', told).slice(0, 8)} ${id} ${event} ${told.slice(0, 200)}`);
    if (event === 'status') this.status(JSON.parse(data) as StatusData);
  }

  private status({ itemId, status, final }: StatusData): void {
    const before = this.last.get(itemId);
    if (before?.final === true && status !== 'queued') {
      // One that is put back into a stage that is gone passes through.
      if (status === 'skipped') this.passedOn++;
      else this.faults.push(`${itemId} was ${before.status} at its end, and then ${status}`);
    }
    if (final) this.ends[status as keyof Follower['ends']]++;
    this.last.set(itemId, { status, final });
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}

/** What is left of the result of an item that is no longer kept. */
function resultOf(data: string): string {
  const { id, sequenceId, feedId } = JSON.parse(data) as Record<string, unknown>;
  return JSON.stringify({ id, sequenceId, feedId });
}
