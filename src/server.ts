/**
 * The process: configuration, listening, signals. How it is watched and how it ends is in src/process. Everything but the handlers of signals is imported
 * after the check of Node's version, because an older one already fails at loading it, with a message that helps nobody.
 *
 *     configuration ──▶ store open ──▶ listening, not ready ──▶ recovered ──▶ serving ──signal, POST /shutdown──▶ stopping ──▶ exit 0
 *           │             ├─ disk full ─▶ listening, and again    │               └─ second signal: by force        ▲
 *           │             │                                       └──────────────signal─────────────────────────────┘
 *           └─────────────┴─ wrong configuration, port in use ─▶ exit 78
 *
 * Until it serves no item runs, and nothing is counted against one: a start that comes to nothing leaves to the next one all that it has found.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { enableCompileCache } from 'node:module';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { AppDeps } from './app.ts';
import type { Clustered } from './composition/clustered.ts';
import type { HostSwitch } from './composition/host-switch.ts';
import type { Hosts } from './composition/hosts.ts';
import type { Config } from './config.ts';
import type { LocalHost } from './engine/index.ts';
import type { Work } from './engine/ports.ts';
import type { Loaded } from './loader/definitions.ts';
import type { Guard } from './process/guard.ts';
import type { Reload } from './process/reload.ts';
import { handleSignals } from './process/signals.ts';
import type { Watchdog } from './process/watchdog.ts';
import type { ApiKey } from './schemas/api-key.ts';
import type { ShutdownMode, ShutdownReport } from './schemas/control.ts';
import type { SdkTracer } from './tracing/index.ts';

/** EX_CONFIG of sysexits.h: starting it again without a change is useless. */
const EXIT_CONFIG = 78;
/** A fault of this program or of its store. */
const EXIT_FAULT = 1;
const NODE_MIN = [22, 18] as const;

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

// A fault of the configuration is told before the rest is loaded, which takes twice as long as what it needs.
const [{ ConfigError, loadConfig, readAccess, readSecretsDir, secretsIn }, { createSecrets }] = await Promise.all([
  import('./config.ts'),
  import('./loader/secrets.ts'),
]);
// Before anything is said of what is wrong: a secret may have got into the wrong variable.
/** As it was at the start: a task may change `process.env`. Empty variables count as not set. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([, text]) => text !== ''));
const secrets = createSecrets(secretsIn(environment));
let config: Config;
try {
  config = loadConfig(environment);
  secrets.replace(config.secrets);
} catch (error) {
  fail(secrets.mask((error as Error).message));
}

if (config.role === 'hand') await asHand();

/** Is a hand until the process ends: nothing of the service is loaded. */
async function asHand(): Promise<never> {
  const { runHand } = await import('./hand.ts');
  try {
    return await runHand(config, secrets);
  } catch (error) {
    if (error instanceof ConfigError) fail(secrets.mask(error.message));
    throw error;
  }
}

const [
  { pino },
  [{ createKeyRing }, { Overload }, { Start }],
  [{ STRENGTH }, ports],
  [{ readDefinitions }, { checkPipelines, startPipelines }],
  [{ prepareHosts }, { ownStore }, { makeOwnKey }],
  [
    { closeService, endProcess },
    { guardProcess },
    { listenFault },
    { watchLoad },
    { SharedLoopNotes },
    { createReload },
    { startWatchdog },
  ],
] = await Promise.all([
  import('pino'),
  Promise.all([import('./http/guards/key-ring.ts'), import('./http/guards/overload.ts'), import('./http/guards/starting.ts')]),
  Promise.all([import('./engine/index.ts'), import('./engine/ports.ts')]),
  Promise.all([import('./loader/definitions.ts'), import('./loader/started-pipelines.ts')]),
  Promise.all([import('./composition/hosts.ts'), import('./composition/own-store.ts'), import('./composition/hands.ts')]),
  Promise.all([
    import('./process/ending.ts'),
    import('./process/guard.ts'),
    import('./process/listen-fault.ts'),
    import('./process/load.ts'),
    import('./process/loop-notes.ts'),
    import('./process/reload.ts'),
    import('./process/watchdog.ts'),
  ]),
]);

// Synchronous: a line that was logged is out, also when the process ends right after it.
const logger: Logger = pino(
  {
    level: config.logLevel,
    timestamp: pino.stdTimeFunctions.isoTime,
    base: null,
    redact: ['headers.authorization'],
    hooks: { streamWrite: secrets.maskLine },
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

const start = new Start();
const overload = new Overload();
const ownKey = makeOwnKey(config.cluster?.keys[0]);
/** Where there are keys, the hands that this machine starts have one as well, or in a cluster any node: they come to whoever owns. */
const mayHaveOwn = config.hands > 0 || config.cluster !== null;
const withOwn = (given: readonly ApiKey[]): readonly ApiKey[] => (given.length > 0 && mayHaveOwn ? [...given, ownKey.key] : given);
const keys = createKeyRing(withOwn(config.apiKeys));
let host: LocalHost | HostSwitch | undefined;
let app: FastifyInstance | undefined;
let watchdog: Watchdog | undefined;
let tracer: SdkTracer | undefined;
let stopping: Promise<void> | undefined;

const guarded = guardProcess({ logger, workNow, isStopping: () => stopping !== undefined });
guard = guarded;
guarded.blame = ({ pipeline, sequenceId }) => {
  if (pipeline !== null && sequenceId !== null) host?.blame({ pipeline, sequenceId });
};

/** A fault of the store that no trying again mends. */
function failOfStore(err: unknown): void {
  logger.fatal({ err }, 'the store has a fault, and the process ends; what was answered is stored');
  guarded.exit(EXIT_FAULT);
}

/** The node's part in a cluster; null for a service that is none. */
async function clusterOf(cluster: Config['cluster'], hosts: Hosts, loaded: Loaded): Promise<Clustered | null> {
  if (cluster === null) return null;
  const { joinCluster } = await import('./composition/joining.ts');
  return joinCluster({ config, cluster, hosts, loaded, fail: failOfStore, logger });
}

/** Loaded no sooner than it is needed: a definition that is wrong, or a task that is missing, is found before, with a quarter less to load. */
async function httpSide(deps: AppDeps): Promise<FastifyInstance> {
  const [{ buildApp }, { PAGE_FOLDER, readBuiltPage }] = await Promise.all([import('./app.ts'), import('./http/page/built-page.ts')]);
  return buildApp(config, { ...deps, page: await readBuiltPage(PAGE_FOLDER) });
}

async function startService(): Promise<void> {
  const loaded = await readDefinitions(config.pipelines, { mayBeMissing: !config.pipelinesGiven });
  const hosts = await prepareHosts({ config, logger, secrets, notes, asWork, environment, ownKey });
  ({ tracer } = hosts);
  const { hands } = hosts;
  const made = hosts.create(failOfStore);
  host = made;
  await checkPipelines(made, loaded);
  const clustered = await clusterOf(config.cluster, hosts, loaded);
  if (clustered !== null) host = clustered.host;
  const tell = (trouble: string | null): void => {
    start.trouble = trouble;
  };
  const kept = clustered === null ? await ownStore({ config, logger, tell }) : null;
  const watching = startWatchdog({
    notes,
    workNow,
    stallSeconds: config.loopStallSeconds,
    shutdownSeconds: config.shutdownTimeoutSeconds,
    secrets: config.secrets,
    isSilent: config.logLevel === 'silent',
    blamePath: kept?.blamePath ?? null,
    logger,
  });
  const requestShutdown = (asked: ShutdownMode, timeoutSeconds: number, by: string | null): void =>
    stop(asked, timeoutSeconds, 'POST /shutdown', by);
  const deps = {
    ...{ host, keys, start, overload, logger, requestShutdown, hands: hands.desk },
    ...(clustered && { cluster: clustered.forHttp }),
  };
  const [opened, built] = await Promise.all([kept?.opening.attempt(), httpSide(deps)]);
  if (opened) made.keepIn(opened);
  app = built;
  await built.listen({
    host: config.host,
    port: config.port,
    // Fastify logs what this returns, once an address; an object makes it a record with fields.
    listenTextResolver: (url) => ({ msg: 'listening', url, pid: process.pid, node: process.versions.node }) as never,
  });
  hands.start(built.server);
  if (kept && !opened) made.keepIn(await kept.opening.open());
  if (clustered === null) await startPipelines(made, loaded, logger);
  watchdog = await watching;
  // A signal that has come by now is heard before anything runs: it is read between two of these.
  await setImmediate();
  await setImmediate();
  if (stopping !== undefined) return;
  const load = watchLoad(
    { loopDelaySeconds: config.overloadLoopDelaySeconds, memoryPercent: config.overloadMemoryPercent },
    { clock: ports.systemClock, logger, say: (reason) => overload.say(reason) },
  );
  overload.look = load.look;
  // From here on items run.
  watchdog.serving();
  if (clustered === null) made.goOn();
  else {
    // Whether it owns or follows, it answers from now on.
    start.finish();
    await clustered.start((built.server.address() as AddressInfo).port);
  }
  reloading = createReload({
    ...{ host, keys, secrets, loaded, logger },
    ...(clustered && { owns: clustered.rereads }),
    readKeys: () => {
      const read = readAccess(environment);
      return { ...read, keys: [...withOwn(read.keys)] };
    },
    readSecrets: () => {
      const read = readSecretsDir(environment);
      return { ...read, secrets: { ...secretsIn(environment), ...read.secrets } };
    },
    readDefinitions: () => readDefinitions(config.pipelines, { mayBeMissing: !config.pipelinesGiven }),
    onSecrets: (values) => watchdog?.masks(values),
  });
  start.finish();
  const { recovered } = made.storeHealth;
  if (recovered !== null) logger.info(recovered, 'recovered');
  logger.info({ pipelines: loaded.definitions.length, seconds: process.uptime() }, 'ready');
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
function stop(asked: ShutdownMode, timeoutSeconds: number, reason: string, by: string | null): void {
  logger.info({ mode: asked, timeoutSeconds, reason }, 'shutting down');
  if (mode === undefined || STRENGTH[asked] > STRENGTH[mode]) {
    mode = asked;
    watchdog?.expectEnd(asked === 'force' ? 0 : timeoutSeconds);
  }
  const ended = start.isOver && host !== undefined ? host.shutdown(asked, timeoutSeconds, { by }) : cutShort();
  stopping ??= ended.then((report) => endProcess(report, { app, host, guard: guarded, logger, watchdog, flushSpans: tracer?.flush }));
  stopping.catch((err: unknown) => {
    logger.fatal({ err }, 'the shutdown failed');
    guarded.exit(1);
  });
}

/** Before its first item has begun there is nothing to wait for; what the start still does is refused. */
async function cutShort(): Promise<ShutdownReport> {
  if (host !== undefined) host.shuttingDown = true;
  start.cutShort();
  return NOTHING_BEGUN;
}

let reloading: Reload | undefined;

/** A signal during the start is heard when it is over; during the end, and when the start comes to nothing, there is nothing to reload. */
async function reloadWhenStarted(signal: string): Promise<void> {
  await start.ended;
  if (reloading === undefined || stopping !== undefined) logger.info({ signal }, 'the signal is ignored, since the service ends');
  else await reloading.ask(signal);
}

handleSignals({
  end: (asked, signal) => {
    const timeoutSeconds = config.shutdownTimeoutSeconds;
    const [before, after] = [{ shuttingDown: stopping !== undefined }, { shuttingDown: true, mode: asked, timeoutSeconds }];
    logger.info({ audit: true, change: 'shutdown', by: signal, pipeline: null, stage: null, before, after }, 'audit');
    stop(asked, timeoutSeconds, signal, signal);
  },
  reload: (signal) => void reloadWhenStarted(signal),
});

try {
  if (stopping === undefined) await startService();
} catch (error) {
  // Asked to stop while it started, it refuses what the start still does.
  if (stopping !== undefined) await stopping;
  await cutShort();
  await closeService({ app, host, logger });
  const message =
    error instanceof ConfigError ? error.message : listenFault(error as NodeJS.ErrnoException, `${config.host}:${config.port}`);
  // An error thrown while a task file loads may contain a secret.
  if (message !== undefined) fail(secrets.mask(message));
  logger.fatal({ err: error }, 'Sluice cannot start');
  guarded.exit(EXIT_FAULT);
}
