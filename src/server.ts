/**
 * The process: configuration, listening, signals. How it is watched and how it ends is in src/process. Everything else is imported after the check of Node's version,
 * because an older one already fails at loading it, with a message that helps nobody.
 *
 *     starting ──▶ serving ──signal, POST /shutdown──▶ stopping ──▶ exit 0
 *         └─ wrong configuration, port in use ─▶ exit 78      └─ second signal: by force
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { enableCompileCache } from 'node:module';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { LocalHost } from './engine/index.ts';
import type { Work } from './engine/ports.ts';
import type { Guard } from './process/guard.ts';
import type { Watchdog } from './process/watchdog.ts';
import type { ShutdownMode, ShutdownReport } from './schemas/control.ts';

/** EX_CONFIG of sysexits.h: starting it again without a change is useless. */
const EXIT_CONFIG = 78;
/** A fault of this program or of its store. */
const EXIT_FAULT = 1;
const NODE_MIN = [22, 18] as const;
/** Under npm a Ctrl-C comes twice: from the terminal to the whole group, and passed on by npm. That is one signal. */
const SIGNAL_ECHO_MS = 100;
/** A hook that takes longer is left behind; it holds up its worker, not the pipeline's fate. */
const HOOK_TIMEOUT_SECONDS = 30;

let guard: Guard | undefined;

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  guard?.exit(EXIT_CONFIG);
  process.exit(EXIT_CONFIG);
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  fail(`Sluice needs Node.js ${NODE_MIN.join('.')} or newer; this is ${process.versions.node}. "npm ci" brings one along for "npm start".`);
}

// Compiled code is kept under the system's folder for temporary files: the next start is about a sixth faster. Where that
// folder cannot be written, nothing is kept and nothing is lost.
enableCompileCache();

const [
  { pino },
  { buildApp },
  { ConfigError, loadConfig, secretsIn, storeFileOf },
  { createLocalHost, createTaskRegistry, STRENGTH, SluiceError },
  ports,
  loader,
  tasks,
  [{ endProcess }, { guardProcess }, { SharedLoopNotes }, { startWatchdog }],
] = await Promise.all([
  import('pino'),
  import('./app.ts'),
  import('./config.ts'),
  import('./engine/index.ts'),
  import('./engine/ports.ts'),
  Promise.all([
    import('./loader/definitions.ts'),
    import('./loader/secrets.ts'),
    import('./loader/threads.ts'),
    import('./loader/user-tasks.ts'),
  ]),
  import('../tasks/index.ts'),
  Promise.all([
    import('./process/ending.ts'),
    import('./process/guard.ts'),
    import('./process/loop-notes.ts'),
    import('./process/watchdog.ts'),
  ]),
]);
const [{ readDefinitions }, { createSecrets }, { createThreadRunner }, { loadUserTasks }] = loader;

// Before anything is said of what is wrong: a secret may have got into the wrong variable.
const secrets = createSecrets(secretsIn(process.env));
let config: Config;
try {
  config = loadConfig(process.env);
} catch (error) {
  fail(secrets.mask((error as Error).message));
}

// Synchronous: a line that was logged is out, also when the process ends right after it.
const logger: Logger = pino(
  {
    level: config.logLevel,
    timestamp: pino.stdTimeFunctions.isoTime,
    base: null,
    redact: ['headers.authorization'],
    hooks: { streamWrite: secrets.mask },
  },
  pino.destination({ fd: 1, sync: true }),
);
/** The call that is running now, including what a user task has started. */
const notes = new SharedLoopNotes();
const begunBy = new AsyncLocalStorage<Work>();
const workNow = (): Work | null => notes.work ?? begunBy.getStore() ?? null;
const asWork = (call: () => unknown): unknown => {
  const { work } = notes;
  return work === null ? call() : begunBy.run(work, () => notes.naming(work, call));
};

let host: LocalHost | undefined;
let app: FastifyInstance | undefined;
let watchdog: Watchdog | undefined;
let blamePath: string | null = null;
let stopping: Promise<void> | undefined;

const guarded = guardProcess({ logger, workNow, isStopping: () => stopping !== undefined });
guard = guarded;
guarded.blame = ({ pipeline, sequenceId }) => {
  if (pipeline !== null && sequenceId !== null) host?.blame({ pipeline, sequenceId });
};

async function openStore() {
  const file = storeFileOf(config.storeUrl);
  if (file === undefined) {
    logger.warn({ storeUrl: config.storeUrl }, 'items are kept in memory and end with the process');
    return {};
  }
  // Its native part is loaded only where it is used.
  const { blamePathOf, openSqliteStore, StoreFileError } = await import('./stores/sqlite/index.ts');
  blamePath = blamePathOf(file);
  try {
    return { store: await openSqliteStore({ file }) };
  } catch (error) {
    throw error instanceof StoreFileError ? new ConfigError('The store cannot be used', [error.message]) : error;
  }
}

async function startHost(): Promise<LocalHost> {
  const builtIn = tasks.builtInTasks({ outputDir: config.outputDir, httpAllowHosts: config.httpAllowHosts, maskSecrets: secrets.mask });
  const taken = builtIn.map((task) => task.name);
  const own = config.tasksDir === undefined ? [] : await loadUserTasks(config.tasksDir, taken, asWork);
  const host = createLocalHost({
    ...config,
    registry: createTaskRegistry([...builtIn, ...own]),
    ports: {
      ...ports.systemPorts,
      ...{ logger, threads: createThreadRunner({ logger }), expressions: tasks.expressionLanguage, secrets, notes },
      fail: (err) => {
        logger.fatal({ err }, 'the store has a fault, and the process ends; what was answered is stored');
        guarded.exit(EXIT_FAULT);
      },
    },
    hookTimeoutSeconds: HOOK_TIMEOUT_SECONDS,
    ...(await openStore()),
  });
  return host;
}

/** Every definition is tried, so that all faults are listed at once. */
async function loadPipelines(host: LocalHost): Promise<void> {
  const { definitions, limiters } = await readDefinitions(config.pipelines, { mayBeMissing: !config.pipelinesGiven });
  const faults: string[] = [];
  const note = (source: string, error: unknown): void => {
    if (!(error instanceof SluiceError)) throw error;
    faults.push(
      ...(error.errors ?? [{ path: '', message: error.message }]).map(
        ({ path, message }) => `${source}: ${path === '' ? '' : `${path} `}${message}`,
      ),
    );
  };
  for (const { name, settings, source } of limiters) {
    try {
      host.limiters.define(name, settings);
    } catch (error) {
      note(source, error);
    }
  }
  if (faults.length > 0) throw new ConfigError('The pipeline definitions cannot be used', faults);
  try {
    await host.recover(new Set(definitions.map(({ definition }) => definition.id)));
  } catch (error) {
    const { pipelineId } = error instanceof SluiceError ? error.details : {};
    if (error instanceof SluiceError)
      note(pipelineId === undefined ? 'the store' : `the pipeline "${String(pipelineId)}" of the store`, error);
    else throw error;
  }
  for (const { definition, source } of definitions) {
    try {
      const { is } = await host.load(definition);
      logger.info({ pipeline: definition.id, source, is }, 'pipeline started');
    } catch (error) {
      note(source, error);
    }
  }
  try {
    if (faults.length === 0) host.expectRoom();
  } catch (error) {
    note('the workers', error);
  }
  if (faults.length > 0) throw new ConfigError('The pipeline definitions cannot be used', faults);
  // From here on items run.
  watchdog = await startWatchdog({
    notes,
    workNow,
    stallSeconds: config.loopStallSeconds,
    shutdownSeconds: config.shutdownTimeoutSeconds,
    secrets: config.secrets,
    isSilent: config.logLevel === 'silent',
    blamePath,
    logger,
  });
  host.goOn();
  const { recovered } = host.storeHealth;
  if (recovered !== null) logger.info(recovered, 'recovered');
}

const NOTHING_BEGUN: ShutdownReport = {
  mode: 'graceful',
  finished: 0,
  leftQueued: 0,
  aborted: 0,
  notKept: 0,
  notKeptIds: [],
  timedOut: false,
};
let mode: ShutdownMode | undefined;

/** Ends the process. Asked again, it passes the mode on: the host lets a harder one overtake. */
function stop(asked: ShutdownMode, timeoutSeconds: number, reason: string): void {
  logger.info({ mode: asked, timeoutSeconds, reason }, 'shutting down');
  if (mode === undefined || STRENGTH[asked] > STRENGTH[mode]) {
    mode = asked;
    watchdog?.expectEnd(asked === 'force' ? 0 : timeoutSeconds);
  }
  // Before its first item has begun there is nothing to wait for.
  const ended = watchdog === undefined || host === undefined ? Promise.resolve(NOTHING_BEGUN) : host.shutdown(asked, timeoutSeconds);
  stopping ??= ended.then((report) => endProcess(report, { app, host, guard: guarded, logger, watchdog }));
  stopping.catch((err: unknown) => {
    logger.fatal({ err }, 'the shutdown failed');
    guarded.exit(1);
  });
}

// Own handlers, not close-with-grace: at a second signal that one exits at once with code 1, where here the pipelines are
// aborted in order, the report is logged and the code is 0. They come first: the watchdog hears signals too, and ends nothing by itself.
let firstSignalAt: number | undefined;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    const now = performance.now();
    const isEcho = firstSignalAt !== undefined && now - firstSignalAt < SIGNAL_ECHO_MS;
    if (isEcho) return;
    const asked = firstSignalAt === undefined ? 'graceful' : 'force';
    firstSignalAt ??= now;
    stop(asked, config.shutdownTimeoutSeconds, signal);
  });
}
// Sent when a terminal goes away; by default it kills.
process.on('SIGHUP', () => logger.info({ signal: 'SIGHUP' }, 'the signal is ignored; SIGTERM ends the service'));

/** Explains a failed listen to the operator. */
function listenFault(error: NodeJS.ErrnoException): string | undefined {
  const address = `${config.host}:${config.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `Sluice cannot listen on ${address}: the port is in use. Set PORT to another one, or to 0 for any that is free.`;
    case 'EACCES':
      return `Sluice cannot listen on ${address}: this user may not. Set PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `Sluice cannot listen on ${address}: this machine has no such address. Set HOST to one that it has.`;
    default:
      return undefined;
  }
}

try {
  host = await startHost();
  await loadPipelines(host);
  app = await buildApp(config, {
    host,
    logger,
    requestShutdown: (asked, timeoutSeconds) => stop(asked, timeoutSeconds, 'POST /shutdown'),
  });
  await app.listen({
    host: config.host,
    port: config.port,
    // Fastify logs what this returns, once an address; an object makes it a record with fields.
    listenTextResolver: (url) => ({ msg: 'listening', url, pid: process.pid, node: process.versions.node }) as never,
  });
  watchdog?.serving();
} catch (error) {
  // Asked to stop while it started, it refuses what the start still does.
  if (stopping !== undefined) await stopping;
  const message = error instanceof ConfigError ? error.message : listenFault(error as NodeJS.ErrnoException);
  // An error thrown while a task file loads may contain a secret.
  if (message !== undefined) fail(secrets.mask(message));
  logger.fatal({ err: error }, 'Sluice cannot start');
  guarded.exit(EXIT_FAULT);
}
