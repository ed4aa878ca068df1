/**
 * The process: configuration, listening, signals, exit codes. Everything else is imported after the check of Node's version,
 * because an older one already fails at loading it, with a message that helps nobody.
 *
 *     starting ──▶ serving ──signal, POST /shutdown──▶ stopping ──▶ exit 0
 *         └─ wrong configuration, port in use ─▶ exit 78      └─ second signal: by force
 */
import { enableCompileCache } from 'node:module';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { LocalHost } from './engine/index.ts';
import type { ShutdownMode, ShutdownReport } from './schemas/control.ts';

/** EX_CONFIG of sysexits.h: starting it again without a change is useless. */
const EXIT_CONFIG = 78;
const NODE_MIN = [22, 18] as const;
/** Under npm a Ctrl-C comes twice: from the terminal to the whole group, and passed on by npm. That is one signal. */
const SIGNAL_ECHO_MS = 100;
/** After the pipelines have ended: how long replies in flight may take. */
const LAST_REPLIES_MS = 5000;
/** A hook that takes longer is left behind; it holds up its worker, not the pipeline's fate. */
const HOOK_TIMEOUT_SECONDS = 30;

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
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
  { ConfigError, loadConfig, storeFileOf },
  { createLocalHost, createTaskRegistry, SluiceError },
  ports,
  loader,
  tasks,
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
]);
const [{ readDefinitions }, { createSecrets }, { createThreadRunner }, { loadUserTasks }] = loader;

let config: Config;
try {
  config = loadConfig(process.env);
} catch (error) {
  fail((error as Error).message);
}

const secrets = createSecrets(config.secrets);

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
process.on('uncaughtException', (err) => {
  logger.fatal({ err }, 'uncaught exception');
  process.exit(1);
});

// A promise that a user's task left behind and that failed: the task's own attempt has ended otherwise, nothing here is broken.
process.on('unhandledRejection', (err) => {
  logger.error({ err }, 'a promise was rejected and nobody waited for it');
});

async function openStore() {
  const file = storeFileOf(config.storeUrl);
  if (file === undefined) {
    logger.warn({ storeUrl: config.storeUrl }, 'items are kept in memory and end with the process');
    return {};
  }
  // Its native part is loaded only where it is used.
  const { openSqliteStore, StoreFileError } = await import('./stores/sqlite/index.ts');
  try {
    return { store: await openSqliteStore({ file }) };
  } catch (error) {
    throw error instanceof StoreFileError ? new ConfigError('The store cannot be used', [error.message]) : error;
  }
}

async function startHost(): Promise<LocalHost> {
  const builtIn = tasks.builtInTasks({ outputDir: config.outputDir, httpAllowHosts: config.httpAllowHosts, maskSecrets: secrets.mask });
  const taken = builtIn.map((task) => task.name);
  const own = config.tasksDir === undefined ? [] : await loadUserTasks(config.tasksDir, taken);
  const host = createLocalHost({
    ...config,
    registry: createTaskRegistry([...builtIn, ...own]),
    ports: { ...ports.systemPorts, logger, threads: createThreadRunner({ logger }), expressions: tasks.expressionLanguage, secrets },
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
    faults.push(...(error.errors ?? [{ path: '', message: error.message }]).map(({ path, message }) => `${source}: ${path} ${message}`));
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
    if (error instanceof SluiceError) note(`the pipeline "${String(error.details.pipelineId)}" of the store`, error);
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
  if (faults.length > 0) throw new ConfigError('The pipeline definitions cannot be used', faults);
  host.goOn();
  const { recovered } = host.storeHealth;
  if (recovered !== null) logger.info(recovered, 'recovered');
}

let stopping: Promise<void> | undefined;

/** Ends the process. Asked again, it passes the mode on: the host lets a harder one overtake. */
function stop(app: FastifyInstance, host: LocalHost, mode: ShutdownMode, timeoutSeconds: number, reason: string): void {
  logger.info({ mode, timeoutSeconds, reason }, 'shutting down');
  const ended = host.shutdown(mode, timeoutSeconds);
  stopping ??= ended.then((report) => finish(app, host, report));
  stopping.catch((err: unknown) => {
    logger.fatal({ err }, 'the shutdown failed');
    process.exit(1);
  });
}

async function finish(app: FastifyInstance, host: LocalHost, report: ShutdownReport): Promise<void> {
  const late = setTimeout(() => app.server.closeAllConnections(), LAST_REPLIES_MS);
  await app.close();
  clearTimeout(late);
  await host.close();
  logger.info(report, 'shutdown report');
  process.exit(0);
}

/** What a failed listen means to who started it. */
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
  const host = await startHost();
  await loadPipelines(host);
  const app = await buildApp(config, {
    host,
    logger,
    requestShutdown: (mode, timeoutSeconds) => stop(app, host, mode, timeoutSeconds, 'POST /shutdown'),
  });
  // Own handlers, not close-with-grace: at a second signal that one exits at once with code 1, where here the pipelines are
  // aborted in order, the report is logged and the code is 0.
  let firstSignalAt: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      const isEcho = firstSignalAt !== undefined && now - firstSignalAt < SIGNAL_ECHO_MS;
      if (isEcho) return;
      const mode = firstSignalAt === undefined ? 'graceful' : 'force';
      firstSignalAt ??= now;
      stop(app, host, mode, config.shutdownTimeoutSeconds, signal);
    });
  }
  await app.listen({
    host: config.host,
    port: config.port,
    // Fastify logs what this returns, once an address; an object makes it a record with fields.
    listenTextResolver: (url) => ({ msg: 'listening', url, pid: process.pid, node: process.versions.node }) as never,
  });
} catch (error) {
  const message = error instanceof ConfigError ? error.message : listenFault(error as NodeJS.ErrnoException);
  // What a task file throws when it is loaded may hold a secret.
  if (message !== undefined) fail(secrets.mask(message));
  logger.fatal({ err: error }, 'Sluice cannot start');
  process.exit(1);
}
