/** What was promised to the clients of a service that is killed again and again, and how they ask until they get an answer. */
import { setTimeout as after } from 'node:timers/promises';
import type { PipelineResult } from '../../src/schemas/item.ts';

/** Everything in it has to be found in the end. */
export class Ledger {
  /** Ids that an answer has named as accepted. */
  readonly acknowledged = new Set<string>();
  /** Feeds whose answer names no ids, by how many items they have; their values are `{ n }`, from 0 on. */
  readonly uploads = new Map<string, number>();
  /** Ids and feeds that were acknowledged before a loss that the service may suffer, and did: they may be there. */
  readonly doubtful = new Set<string>();
  readonly doubtfulUploads = new Map<string, number>();
  /** What a client has of an item's end, and how many kills had been over when it had that: it came from that life at the latest. */
  readonly results = new Map<string, { result: PipelineResult; life: number }>();
  /** The values, as JSON, of items that come out as they went in. */
  readonly values = new Map<string, string>();
  /** Items that do not begin in the first stage, with the one that they begin in. */
  readonly targets = new Map<string, string>();
  /** The last time that each of these ids was accepted again. */
  readonly again = new Map<string, number>();
  readonly cancelled = new Map<string, { life: number }>();
  /** Events as a follower has seen them, by their number: the id, and what it was. */
  readonly events: string[] = [];
  /** Requests that were repeated after an answer was lost. */
  repeated = 0;
  /** Answers that no client should get. */
  readonly surprises: string[] = [];
  /** How many times a process has ended. It goes up between the end of one and the start of the next. */
  life = 0;

  told(result: PipelineResult): void {
    this.acknowledged.add(result.id);
    this.results.set(result.id, { result, life: this.life });
  }

  /** How much has been told until now. */
  mark(): Mark {
    const { acknowledged, uploads, results, cancelled, again, events } = this;
    return {
      acknowledged: acknowledged.size,
      uploads: uploads.size,
      results: results.size,
      cancelled: cancelled.size,
      again: new Map(again),
      events: events.length,
    };
  }

  /** The service has lost what it has stored since then, or a part of it, before anybody repeats a request: nothing holds that was told since. */
  doubt(mark: Mark): void {
    for (const id of since(this.acknowledged, mark.acknowledged)) {
      this.acknowledged.delete(id);
      this.doubtful.add(id);
    }
    for (const [id, count] of since(this.uploads, mark.uploads)) {
      this.uploads.delete(id);
      this.doubtfulUploads.set(id, count);
    }
    for (const [id] of since(this.results, mark.results)) this.results.delete(id);
    for (const [id] of since(this.cancelled, mark.cancelled)) this.cancelled.delete(id);
    for (const id of this.again.keys()) this.again.set(id, mark.again.get(id) ?? 0);
    this.events.length = Math.min(this.events.length, mark.events);
  }
}

/** Sizes of the parts of a ledger, to which things are only added. */
export interface Mark {
  acknowledged: number;
  uploads: number;
  results: number;
  cancelled: number;
  again: ReadonlyMap<string, number>;
  events: number;
}

const since = <T>(parts: Iterable<T>, size: number): T[] => [...parts].slice(size);

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for the client to say
  body: any;
  /** How often it was asked for before. */
  attempt: number;
  /** The service had not been asked to end before it was here: one that stops shows its pipelines as stopped. */
  isSure: boolean;
}

export interface Asking {
  method?: string;
  headers?: Record<string, string>;
  /** Sent as JSON, unless it is a text. */
  body?: unknown;
  /** Reads the answer line by line, as it comes. */
  onLine?: (line: string) => void;
}

const PATIENCE_MS = 20_000;
/** Whether it was done is not known, or it was not. */
const AGAIN = [429, 502, 503];

/** Clients of a service that comes and goes. `url` is null while there is none. */
export class Clients {
  readonly ledger: Ledger;
  url: string | null = null;
  isOver = false;
  /** What is being asked now, each with what came of it last. */
  readonly asking = new Map<string, string>();
  /** Until a request had its answer, over all its repeats. */
  longestAskSeconds = 0;

  /** Those that work at the same time, each until it is over. */
  private workers = 0;
  /** Resolves when those that stand still may go on. */
  private pause: Promise<void> | null = null;
  private standing = 0;
  private stands: () => void = () => undefined;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  /** Lets each of them work until it is over. */
  async work(workers: readonly (() => Promise<void>)[]): Promise<void> {
    this.workers = workers.length;
    await Promise.all(workers.map((begin) => begin()));
  }

  get isPaused(): boolean {
    return this.pause !== null;
  }

  /** Whether there is another piece of work to be done. A worker asks between two of them, and may have to wait. */
  async goesOn(): Promise<boolean> {
    while (this.pause !== null) {
      this.standing++;
      this.stands();
      await this.pause;
      this.standing--;
    }
    return !this.isOver;
  }

  /** Resolves when all stand between two pieces of work, with what lets them go on. */
  async standStill(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stands = Promise.withResolvers<void>();
    this.stands = () => {
      if (this.standing === this.workers) stands.resolve();
    };
    this.pause = promise;
    await stands.promise;
    return () => {
      this.pause = null;
      resolve();
    };
  }

  /** Where the next request goes. */
  place(): string | null {
    return this.url;
  }

  /** Whether the service at a place has not been asked to end since then. */
  isStillAt(url: string): boolean {
    return this.url === url;
  }

  /** Asks until there is an answer that says yes or no, as clients do. */
  async ask(path: string, asking: Asking): Promise<Answer> {
    const what = `${asking.method ?? 'POST'} ${path} ${JSON.stringify(asking.body)?.slice(0, 100)}`;
    this.asking.set(what, 'nothing yet');
    const began = performance.now();
    try {
      return await this.askAgain(path, asking, (came) => this.asking.set(what, came));
    } finally {
      this.asking.delete(what);
      this.longestAskSeconds = Math.max(this.longestAskSeconds, (performance.now() - began) / 1000);
    }
  }

  /** However often: a round has a bound of its own, and then tells what is still asked for. */
  private async askAgain(
    path: string,
    { method = 'POST', headers = {}, body, onLine }: Asking,
    tell: (came: string) => void,
  ): Promise<Answer> {
    const sent =
      typeof body === 'string' || body === undefined ? { headers } : { headers: { 'content-type': 'application/json', ...headers } };
    for (let attempt = 0; ; attempt++) {
      try {
        const url = this.place();
        if (url === null) throw new Error('there is no service to connect to');
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        const response = await fetch(url + path, {
          method,
          ...sent,
          ...(text === undefined ? {} : { body: text }),
          signal: AbortSignal.timeout(PATIENCE_MS),
        });
        if (response.status === 200 && onLine !== undefined) {
          await readLines(response, onLine);
          return { status: 200, body: null, attempt, isSure: this.isStillAt(url) };
        }
        const answer = await response.text();
        if (!AGAIN.includes(response.status)) {
          return { status: response.status, body: answer === '' ? null : JSON.parse(answer), attempt, isSure: this.isStillAt(url) };
        }
        tell(`${response.status} ${answer.slice(0, 300)}`);
      } catch (error) {
        // The service died under it, or has not come back yet.
        tell(String((error as Error).cause ?? error));
      }
      if (attempt === 0) this.ledger.repeated++;
      await after(10);
    }
  }

  /** Notes an answer that is none of these. */
  expect(what: string, { status, body }: Pick<Answer, 'status' | 'body'>, ...expected: number[]): boolean {
    if (expected.includes(status)) return true;
    this.ledger.surprises.push(`${what}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
    return false;
  }
}

async function readLines(response: Response, onLine: (line: string) => void): Promise<void> {
  let rest = '';
  for await (const text of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) onLine(line);
  }
}
