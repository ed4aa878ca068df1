import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import { buildApp } from '../../src/app.ts';
import {
  createLocalHost,
  createTaskRegistry,
  type LocalHost,
  type LocalHostOptions,
  type TaskDeclaration,
  type TaskHandler,
} from '../../src/engine/index.ts';
import { type Clock, systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import type { LingerBounds } from '../../src/http/bodies/lingering.ts';
import { createKeyRing, type KeyRing } from '../../src/http/guards/key-ring.ts';
import type { Overload } from '../../src/http/guards/overload.ts';
import type { Start } from '../../src/http/guards/starting.ts';
import type { BuiltPage } from '../../src/http/page/built-page.ts';
import type { HandDesk } from '../../src/http/routing/route-deps.ts';
import type { DEFAULT_LIMITS } from '../../src/limits.ts';
import type { ApiKey } from '../../src/schemas/api-key.ts';
import type { ShutdownMode } from '../../src/schemas/control.ts';
import { expressionLanguage } from '../../tasks/index.ts';
import { createGate, type Gate } from '../engine/harness.ts';

export interface Service extends AsyncDisposable {
  app: FastifyInstance;
  keys: KeyRing;
  host: LocalHost;
  /** What POST /shutdown asked for. */
  shutdowns: { mode: ShutdownMode; timeoutSeconds: number }[];
  /** Log records, parsed. */
  logs: Record<string, unknown>[];
  /** Lets every item that waits in `hold` go on, and all that come later. */
  release(): void;
  /** Holds each item of the task `gated` until the test lets it go. */
  gate: Gate;
  /** Resolves when so many items are held by `gated`. */
  held(count: number): Promise<void>;
}

export interface ServiceOptions {
  apiKeys?: readonly ApiKey[];
  /** Where it would listen, and `ALLOWED_HOSTS`. */
  host?: string;
  allowedHosts?: readonly string[];
  bodyLimitBytes?: number;
  uploadIdleSeconds?: number;
  /** Bounds of what is read of a body after its answer. */
  linger?: LingerBounds;
  backlogCapacity?: number;
  sseHeartbeatSeconds?: number;
  /** Of the HTTP side alone. */
  clock?: Clock;
  /** Of the pipelines, which go by the clock of the machine otherwise. */
  engineClock?: Clock;
  /** Bounds of the engine, smaller than anyone would have them. */
  bounds?: Pick<LocalHostOptions, 'maxValueBytes' | 'pageCharacters' | 'documentCharacters' | 'maxWorkers' | 'maxPipelines'>;
  /** Limits smaller than the defaults. */
  limits?: Partial<typeof DEFAULT_LIMITS>;
  /** Where the host keeps what it has; without one, in memory. */
  store?: Store;
  /** By default it never is. */
  overload?: Overload;
  /** By default it is over. */
  start?: Start;
  /** By default it takes none. */
  hands?: HandDesk;
  /** By default there is none. */
  page?: BuiltPage | null;
  /** Beside the ones to pull strings with. */
  tasks?: readonly TaskDeclaration[];
}

/** The whole HTTP side over a real host, with a few tasks to pull strings with. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const logs: Record<string, unknown>[] = [];
  const logger: Logger = pino({ level: 'debug' }, { write: (line: string) => void logs.push(JSON.parse(line)) });
  const released = Promise.withResolvers<void>();
  const gate = createGate();
  const arrivals = new Set<() => void>();
  const gated: TaskHandler = (value, ctx) => {
    const work = gate.task(value, ctx);
    for (const arrived of arrivals) arrived();
    return work;
  };
  const host = createLocalHost({
    registry: createTaskRegistry([...testTasks(released.promise, gated), ...(options.tasks ?? [])]),
    ports: { ...systemPorts, expressions: expressionLanguage, ...(options.engineClock && { clock: options.engineClock }) },
    maxStages: 64,
    maxWorkersPerStage: 10_000,
    retentionMaxItems: 10_000,
    retentionMaxAgeSeconds: 3600,
    backlogCapacity: options.backlogCapacity ?? 10_000,
    eventsKept: 10_000,
    hookTimeoutSeconds: 5,
    ...(options.store && { store: options.store }),
    ...options.bounds,
    ...options.limits,
  });
  const keys = createKeyRing(options.apiKeys ?? []);
  const shutdowns: Service['shutdowns'] = [];
  const app = await buildApp(
    {
      host: options.host ?? '127.0.0.1',
      allowedHosts: options.allowedHosts ?? [],
      bodyLimitBytes: options.bodyLimitBytes ?? 1_048_576,
      uploadIdleSeconds: options.uploadIdleSeconds ?? 15,
      shutdownTimeoutSeconds: 30,
      sseHeartbeatSeconds: options.sseHeartbeatSeconds ?? 15,
      ...options.limits,
    },
    {
      host,
      keys,
      logger,
      requestShutdown: (mode, timeoutSeconds) => void shutdowns.push({ mode, timeoutSeconds }),
      ...(options.clock && { clock: options.clock }),
      ...(options.linger && { linger: options.linger }),
      ...(options.start && { start: options.start }),
      ...(options.overload && { overload: options.overload }),
      ...(options.hands && { hands: options.hands }),
      ...(options.page && { page: options.page }),
    },
  );
  await app.ready();
  return {
    app,
    keys,
    host,
    shutdowns,
    logs,
    release: released.resolve,
    gate,
    held: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (gate.inside.length < count) return;
          arrivals.delete(look);
          resolve();
        };
        arrivals.add(look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      released.resolve();
      await host.shutdown('force', 1);
      await app.close();
      if (options.store) await host.close();
    },
  };
}

/** Tasks to pull strings with. */
export function testTasks(released: Promise<void>, gated: TaskHandler): TaskDeclaration[] {
  const task = (name: string, run: TaskHandler): TaskDeclaration => ({
    name,
    kind: 'task',
    description: `the task ${name}`,
    paramsSchema: null,
    parseParams: () => undefined,
    run,
  });
  return [
    task('echo', (value) => value),
    task('mega', () => 'm'.repeat(45_000)),
    task('hold', async (value) => {
      await released;
      return value;
    }),
    task('gated', gated),
    task('fail', (value, ctx) => {
      throw ctx.permanent(`no ${JSON.stringify(value)}`);
    }),
    task('picky', (value, ctx) => {
      if (value === 'bad') throw ctx.permanent('it is bad');
      return value;
    }),
  ];
}

/** A pipeline of one stage that runs one task. */
export const definition = (id: string, task = 'echo', more: object = {}) => ({ id, stages: [{ name: 'Only', tasks: [task], ...more }] });

/** Creates a pipeline over HTTP and returns the reply. */
export const create = (service: Service, body: object) => service.app.inject({ method: 'POST', url: '/pipelines', payload: body });

export const feed = (service: Service, id: string, items: unknown[], options: object = {}) =>
  service.app.inject({ method: 'POST', url: `/pipelines/${id}/feed`, payload: { items, ...options } });

export const run = (service: Service, id: string, items: unknown[]) =>
  service.app.inject({ method: 'POST', url: `/pipelines/${id}/run`, payload: { items } });

export const get = (service: Service, url: string) => service.app.inject({ method: 'GET', url });

export const post = (service: Service, url: string, payload?: object) =>
  service.app.inject({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) });
