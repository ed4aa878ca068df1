import { once } from 'node:events';
import { createServer, get, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import type { EventFilter, EventLines, EventSource, SluiceEvent } from '../../src/engine/index.ts';
import { type Clock, silentLogger } from '../../src/engine/ports.ts';
import { createSseHub, type SseAttachment, type SseHub, type SseHubOptions } from '../../src/http/sse/hub.ts';

const STATUS_DATA = {
  feedId: 'f',
  stage: 'A',
  status: 'queued',
  final: false,
  worker: null,
  timestamp: '2026-11-23T17:44:00.123Z',
  metadata: {},
};

/** An event source that keeps the newest `kept` events in an array, and counts its subscribers. */
/** The lines of a source that has one for ever. */
export const oneLine = (name: string): EventLines => ({
  current: name,
  nameOf: () => name,
  idOf: (seq) => `${name}-${seq}`,
  has: (other) => other === name,
});

export interface FakeSource extends EventSource {
  subscribers: number;
  reads: number;
  /** Adds events, `status` ones unless said otherwise; subscribers wake in a later turn. */
  push(...added: { type?: SluiceEvent['type']; data?: Record<string, unknown> }[]): void;
  pushMany(count: number): void;
}

export function createFakeSource({ epoch = 'e1', kept = 1000, newest = 0 } = {}): FakeSource {
  let events: SluiceEvent[] = [];
  let last = newest;
  const wakes = new Set<() => void>();
  let waking = false;
  const source: FakeSource = {
    lines: oneLine(epoch),
    subscribers: 0,
    reads: 0,
    get oldest() {
      return last - events.length + 1;
    },
    get newest() {
      return last;
    },
    read(after, scan, filter) {
      source.reads++;
      const from = Math.max(0, after - (source.oldest - 1));
      const looked = events.slice(from, from + scan);
      return { events: looked.filter((event) => fits(event, filter)), cursor: looked.at(-1)?.seq ?? after };
    },
    subscribe(wake) {
      wakes.add(wake);
      source.subscribers++;
      return () => {
        wakes.delete(wake);
        source.subscribers--;
      };
    },
    push(...added) {
      for (const { type = 'status', data } of added) {
        events.push({ seq: ++last, type, data: { itemId: `i${last}`, ...STATUS_DATA, ...data } } as unknown as SluiceEvent);
      }
      events = events.slice(-kept);
      if (waking) return;
      waking = true;
      setImmediate(() => {
        waking = false;
        for (const wake of wakes) wake();
      });
    },
    pushMany(count) {
      source.push(...Array.from({ length: count }, () => ({})));
    },
  };
  return source;
}

function fits(event: SluiceEvent, filter: EventFilter): boolean {
  const data = event.data as unknown as Record<string, string>;
  const keys = ['itemId', 'feedId', 'stage', 'status'] as const;
  return filter.types.has(event.type) && keys.every((key) => filter[key] === undefined || filter[key].has(data[key] as string));
}

export interface ManualClock extends Clock {
  advance(ms: number): void;
  readonly timers: number;
}

/** Time that stands still until it is told to go on; `defer` is the real one. */
export function createManualClock(): ManualClock {
  let now = 0;
  const timers = new Map<object, { at: number; fn: () => void }>();
  return {
    now: () => now,
    monotonic: () => now,
    setTimer(fn, ms) {
      const handle = {};
      timers.set(handle, { at: now + ms, fn });
      return handle;
    },
    clearTimer: (handle) => void timers.delete(handle as object),
    defer: (fn) => void setImmediate(fn),
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const next = [...timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
        if (next === undefined) break;
        timers.delete(next[0]);
        now = next[1].at;
        next[1].fn();
      }
      now = end;
    },
    get timers() {
      return timers.size;
    },
  };
}

export const EVERYTHING: EventFilter = { types: new Set(['status', 'task', 'result', 'pipeline', 'feed']) };

export interface Harness {
  hub: SseHub;
  server: Server;
  port: number;
  /** The server's side of every connection, in the order of the requests. */
  sockets: Socket[];
  /** What the next requests are attached with. */
  attachment: Partial<SseAttachment>;
  stop(): Promise<void>;
}

/**
 * A hub whose time stands still unless the test moves it: on a busy machine no reader is cut off for the machine's slowness. It collects
 * nothing, since nothing would send what it has collected.
 */
export function createStillHub(options: Partial<SseHubOptions> = {}): SseHub {
  return createSseHub({ logger: silentLogger, clock: createManualClock(), paceMs: 0, ...options });
}

/** A plain server, each request of which is attached at `?after=`, or at the newest event. */
export async function startHarness(source: EventSource, options: Partial<SseHubOptions> = {}): Promise<Harness> {
  const hub = createStillHub(options);
  const sockets: Socket[] = [];
  const server = createServer((request, response) => {
    sockets.push(request.socket);
    const after = new URL(request.url ?? '/', 'http://host').searchParams.get('after');
    hub.attach({
      response,
      events: source,
      filter: EVERYTHING,
      after: after === null ? source.newest : Number(after),
      ...harness.attachment,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const harness: Harness = {
    hub,
    server,
    port: (server.address() as AddressInfo).port,
    sockets,
    attachment: {},
    async stop() {
      server.close();
      server.closeAllConnections();
      await hub.close();
    },
  };
  return harness;
}

export interface Received {
  event: string;
  data: string;
  /** The id line of this very event, if it had one. */
  id: string | undefined;
}

/** Reads an event stream by the letter of the HTML standard, section 9.2.6. */
export class StreamParser {
  readonly events: Received[] = [];
  comments = 0;
  retry: string | undefined;
  lastEventId = '';
  text = '';
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';
  private block: { event: string; data: string[]; id: string | undefined } = { event: '', data: [], id: undefined };

  write(bytes: Buffer): void {
    const text = this.decoder.write(bytes);
    this.text = (this.text + text).slice(0, 10_000);
    const lines = (this.rest + text).split(/\r\n|\r|\n/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.line(line);
  }

  private line(line: string): void {
    const { block } = this;
    if (line === '') {
      if (block.id !== undefined) this.lastEventId = block.id;
      if (block.data.length > 0) this.events.push({ event: block.event || 'message', data: block.data.join('\n'), id: block.id });
      this.block = { event: '', data: [], id: undefined };
    } else if (line.startsWith(':')) {
      this.comments++;
    } else {
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (field === 'event') block.event = value;
      else if (field === 'data') block.data.push(value);
      else if (field === 'id') block.id = value;
      else if (field === 'retry') this.retry = value;
    }
  }
}

export class StreamClient extends StreamParser {
  ended = false;
  closed = false;
  bytes = 0;
  readonly headers: IncomingHttpHeaders;
  private readonly message: IncomingMessage;
  private readonly watchers = new Set<() => void>();

  constructor(message: IncomingMessage, options: { cutAfter?: number }) {
    super();
    this.message = message;
    this.headers = message.headers;
    message.on('data', (chunk: Buffer) => {
      const left = (options.cutAfter ?? Number.POSITIVE_INFINITY) - this.bytes;
      this.bytes += chunk.length;
      this.write(chunk.subarray(0, Math.max(0, left)));
      if (chunk.length >= left) message.destroy();
      this.notify();
    });
    message.on('end', () => {
      this.ended = true;
      this.notify();
    });
    message.on('error', () => undefined);
    message.on('close', () => {
      this.closed = true;
      this.notify();
    });
  }

  get ids(): number[] {
    return this.events.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split('-')[1])]));
  }

  named(event: string): unknown[] {
    return this.events.filter((received) => received.event === event).map(({ data }) => JSON.parse(data));
  }

  until(condition: (client: this) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        if (!condition(this) && !this.closed) return;
        this.watchers.delete(watch);
        if (condition(this)) resolve();
        else reject(new Error(`the stream closed too soon, after ${this.text}`));
      };
      this.watchers.add(watch);
      watch();
    });
  }

  pause(): void {
    this.message.pause();
  }

  resume(): void {
    this.message.resume();
  }

  destroy(): void {
    this.message.destroy();
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}

/** Opens a stream and waits for its head. */
export async function connect(
  port: number,
  path = '/',
  options: { cutAfter?: number; headers?: Record<string, string>; host?: string } = {},
): Promise<StreamClient> {
  const request = get({ port, host: options.host ?? '127.0.0.1', path, agent: false, headers: options.headers ?? {} });
  const [message] = (await once(request, 'response')) as [IncomingMessage];
  return new StreamClient(message, options);
}

/** Resolves when the condition holds, looking at it once in each turn of the event loop. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
