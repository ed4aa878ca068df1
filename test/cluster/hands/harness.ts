/** An owner with a real port, and hands in this process or in others. Nothing here sleeps: a test waits for a line of the log, a call that begins, or a value. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { HandDoor } from '../../../src/cluster/hands/door.ts';
import { Hand, type HandOptions } from '../../../src/cluster/hands/hand.ts';
import { ownTasks } from '../../../src/cluster/hands/member.ts';
import { HandPool, type HandPoolOptions } from '../../../src/cluster/hands/pool.ts';
import { PreparedUses } from '../../../src/cluster/hands/prepared-uses.ts';
import type { HandTask } from '../../../src/cluster/hands/protocol.ts';
import type { TaskDeclaration, TaskHandler } from '../../../src/engine/index.ts';
import { type HandJob, type HandRunner, type Logger, systemClock, type ThreadRunner } from '../../../src/engine/ports.ts';
import type { TaskKind } from '../../../src/schemas/task.ts';

export interface Line {
  level: string;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a field holds is for the test to assert
  [field: string]: any;
}

export interface Log extends Logger {
  readonly lines: Line[];
  /** Resolves with the lines of this text, when there are so many that fit. */
  seen(text: string, count?: number, fits?: (line: Line) => boolean): Promise<Line[]>;
}

export function createLog(): Log {
  const lines: Line[] = [];
  const watchers = new Set<() => void>();
  const log = (level: string) => (fields: object, text: string) => {
    lines.push({ ...fields, level, text });
    for (const watch of [...watchers]) watch();
  };
  return {
    lines,
    seen: (text, count = 1, fits = () => true) =>
      new Promise((resolve) => {
        const watch = (): void => {
          const found = lines.filter((line) => line.text === text && fits(line));
          if (found.length < count) return;
          watchers.delete(watch);
          resolve(found);
        };
        watchers.add(watch);
        watch();
      }),
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
  };
}

export type Handlers = Readonly<Record<string, TaskHandler | { kind: TaskKind; run: TaskHandler }>>;

export function declarationsOf(handlers: Handlers): TaskDeclaration[] {
  return Object.entries(handlers).map(([name, given]) => {
    const { kind, run } = typeof given === 'function' ? { kind: 'task' as const, run: given } : given;
    return { name, kind, description: '', paramsSchema: null, parseParams: (params) => params, run };
  });
}

export const VERSION = '1.2.3';
const hashed = (declarations: readonly TaskDeclaration[], hash = 'h'): HandTask[] =>
  declarations.map(({ name, kind }) => ({ name, kind, hash }));

export interface Owner {
  readonly pool: HandPool;
  readonly log: Log;
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

export interface OwnerOptions extends Partial<Omit<HandPoolOptions, 'tasks'>> {
  tasks: readonly HandTask[] | readonly string[];
  maxValueBytes?: number;
  version?: string;
}

/** A pool without a door. */
export function startPool({ tasks, version = VERSION, ...options }: Omit<OwnerOptions, 'maxValueBytes'>) {
  const log = createLog();
  const all: HandTask[] = tasks.map((task) => (typeof task === 'string' ? { name: task, kind: 'task', hash: 'h' } : task));
  const shared = { clock: options.clock ?? systemClock, logger: log, epoch: () => 1, beatMs: 10_000, ...options };
  const pool = new HandPool({ isExpected: false, maxDeliveries: 5, ...shared, tasks: ownTasks(version, all) });
  return { pool, log, shared };
}

export async function startOwner({ maxValueBytes = 16 * 1024 * 1024, version = VERSION, ...options }: OwnerOptions): Promise<Owner> {
  const { pool, log, shared } = startPool({ version, ...options });
  const door = new HandDoor({ ...shared, pool, version, maxValueBytes });
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket as Socket);
    door.accept(request, socket, head, () => true);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    await door.close();
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(close);
  return { pool, log, server, sockets, port, url: `http://127.0.0.1:${port}`, close };
}

export const noThreads: ThreadRunner = { size: 0, run: () => Promise.reject(new Error('no threads')), close: async () => true };

export interface LocalHand {
  readonly hand: Hand;
  readonly log: Log;
}

/** A hand in this process, on its way to its owner. */
export function startHand(url: string, handlers: Handlers, options: Partial<HandOptions> & { hash?: string } = {}): LocalHand {
  const log = createLog();
  const declarations = declarationsOf(handlers);
  const hand = new Hand({
    urls: [url],
    key: undefined,
    name: 'h',
    version: VERSION,
    instance: randomBytes(8).toString('hex'),
    capacity: 10,
    tasks: hashed(declarations, options.hash),
    uses: new PreparedUses(declarations),
    threads: noThreads,
    clock: systemClock,
    random: () => 0,
    logger: log,
    ...options,
  });
  hand.start();
  onTestFinished(() => hand.leave(0));
  return { hand, log };
}

export interface Call {
  readonly result: Promise<unknown>;
  readonly statuses: string[];
  readonly progress: number[];
  readonly begun: Promise<void>;
  begins: number;
  waits: number;
  abort(reason?: Error): void;
}

/** A call as the engine would give it. */
export function give(
  pool: HandRunner,
  name: string,
  value?: unknown,
  more: Partial<HandJob> & { kind?: TaskKind; given?: unknown } = {},
): Call {
  const { kind = 'task', given, ...rest } = more;
  const controller = new AbortController();
  const begun = Promise.withResolvers<void>();
  const call: { -readonly [K in keyof Call]: Call[K] } = {
    result: Promise.resolve(),
    statuses: [],
    progress: [],
    begun: begun.promise,
    begins: 0,
    waits: 0,
    abort: (reason = new Error('stop')) => controller.abort(reason),
  };
  const place = {
    ...{ itemId: 'i', sequenceId: 7, pipeline: 'p', stage: 's', task: name, worker: 'w', attempt: 1, metadata: {}, trace: null },
    lastError: { type: 'Error', message: 'busy', stage: 'r', attempts: 2 },
  };
  const job: HandJob = {
    use: { kind, name, given, hasSecrets: false },
    args: [value],
    context: place,
    onBegin: () => {
      call.begins++;
      begun.resolve();
    },
    onWait: () => call.waits++,
    onStatus: (text) => call.statuses.push(text),
    onProgress: (fraction) => call.progress.push(fraction),
    ...rest,
  };
  call.result = pool.run(job, controller.signal);
  call.result.catch(() => undefined);
  return call;
}

/** Holds handlers until the test lets them go. */
export function createGate(): { pass: () => Promise<void>; arrived(count: number): Promise<void>; open(): void; readonly count: number } {
  const waiting: (() => void)[] = [];
  const watchers = new Set<() => void>();
  let isOpen = false;
  let count = 0;
  return {
    get count() {
      return count;
    },
    pass: () =>
      new Promise((resolve) => {
        count++;
        for (const watch of [...watchers]) watch();
        if (isOpen) resolve();
        else waiting.push(resolve);
      }),
    arrived: (wanted) =>
      new Promise((resolve) => {
        const watch = (): void => {
          if (count < wanted) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
      }),
    open() {
      isOpen = true;
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}
