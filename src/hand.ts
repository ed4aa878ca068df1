/**
 * A process that is a hand (`ROLE=hand`): it has the tasks of the service, serves nothing, keeps nothing, and makes the calls that its owner gives it.
 *
 * Its own log names calls and never shows what they are made with: secrets stand in parameters here, and only the owner knows them all.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { type Logger, pino } from 'pino';
import { builtInTasks } from '../tasks/index.ts';
import { Hand } from './cluster/hands/hand.ts';
import { PreparedUses } from './cluster/hands/prepared-uses.ts';
import { callNow } from './cluster/hands/work-session.ts';
import type { Config } from './config.ts';
import { type Logger as PlainLogger, systemClock, type Work } from './engine/ports.ts';
import type { LiveSecrets } from './loader/secrets.ts';
import { hashTasks } from './loader/task-hashes.ts';
import { createThreadRunner } from './loader/threads.ts';
import { loadUserTasks } from './loader/user-tasks.ts';
import { SharedLoopNotes } from './process/loop-notes.ts';
import type { OwnerNews, OwnHandOrder } from './process/own-hands.ts';
import { handleSignals } from './process/signals.ts';
import { startWatchdog, type Watchdog } from './process/watchdog.ts';
import { findTracer, isUndiciInstrumented } from './tracing/index.ts';
import { VERSION } from './version.ts';

const EXIT_FAULT = 1;
/** So long the owner is told what has ended the process. */
const TELL_MS = 500;

/** Runs until the process ends. Throws ConfigError when the tasks cannot be used. */
export async function runHand(config: Config, secrets: LiveSecrets): Promise<never> {
  const name = config.handName ?? `${hostname()}-${process.pid}`;
  const logger: Logger = pino(
    { level: config.logLevel, timestamp: pino.stdTimeFunctions.isoTime, base: { hand: name }, hooks: { streamWrite: secrets.maskLine } },
    pino.destination({ fd: 1, sync: true }),
  );
  let isEnding = false;
  const exit = (code: number): never => {
    isEnding = true;
    process.exit(code);
  };
  const isOwn = process.channel !== undefined;
  if (isOwn) endWithOwner(() => exit(0));
  const order = await orderOf(config, isOwn);
  const tasks = builtInTasks({
    outputDir: config.outputDir,
    httpAllowHosts: config.httpAllowHosts,
    maskSecrets: secrets.mask,
    isInstrumented: () => tracer !== undefined && isUndiciInstrumented(),
  });
  const taken = tasks.map((task) => task.name);
  const own = config.tasksDir === undefined ? [] : await loadUserTasks(config.tasksDir, taken, { logger });
  const tracer = await findTracer({ version: VERSION, logger, mask: secrets.mask });
  const relay = (level: keyof PlainLogger) => (fields: object, text: string) => hand.taskLogger[level](fields, text);
  const taskLogger: PlainLogger = { debug: relay('debug'), info: relay('info'), warn: relay('warn'), error: relay('error') };
  const threads = createThreadRunner({ logger: taskLogger, maxThreads: config.threads });
  const hand: Hand = new Hand({
    ...order,
    name,
    version: VERSION,
    instance: randomBytes(12).toString('hex'),
    capacity: config.handCapacity,
    tasks: await hashTasks(tasks, own, { version: VERSION, folder: config.tasksDir }),
    uses: new PreparedUses([...tasks, ...own]),
    threads,
    clock: systemClock,
    random: Math.random,
    logger,
  });

  tellOfEnds({ hand, logger, taskLogger, isEnding: () => isEnding, exit });
  const watchdog = await watch(config, logger);
  async function leave(seconds: number): Promise<void> {
    watchdog.expectEnd(seconds);
    await hand.leave(seconds * 1000);
    await threads.close();
    logger.info({}, 'the hand ends');
    exit(0);
  }
  if (!isOwn) {
    handleSignals({
      end: (mode, signal) => {
        const seconds = mode === 'force' ? 0 : config.shutdownTimeoutSeconds;
        logger.info({ signal, running: hand.running, timeoutSeconds: seconds }, 'the hand is leaving');
        void leave(seconds);
      },
      reload: (signal) => logger.info({ signal }, 'the signal is ignored: a hand is given everything with each call'),
    });
  } else {
    // Whoever started it decides when it ends. Signals to the whole group come here as well, while its calls are still needed.
    process.on('message', ({ epoch }: OwnerNews) => hand.ownedBy(epoch));
    handleSignals({ end: () => undefined, reload: () => undefined });
  }
  watchdog.serving();
  hand.start();
  return new Promise<never>(() => undefined);
}

/** A hand that another process has started ends with that one, at any moment, also while it starts: that is an end in order. */
function endWithOwner(end: () => never): void {
  process.once('disconnect', end);
  // It has gone before anybody listened.
  if (!process.connected) end();
}

/** Where it connects, and with which key: from the process that started it, or as configured. */
async function orderOf({ ownerUrls, ownerKey }: Config, isOwn: boolean): Promise<OwnHandOrder> {
  if (!isOwn) return { urls: [...ownerUrls], key: ownerKey };
  const [order] = await once(process, 'message');
  return order as OwnHandOrder;
}

function watch(config: Config, logger: Logger): Promise<Watchdog> {
  return startWatchdog({
    notes: new SharedLoopNotes(),
    workNow,
    stallSeconds: config.loopStallSeconds,
    shutdownSeconds: config.shutdownTimeoutSeconds,
    secrets: config.secrets,
    isSilent: config.logLevel === 'silent',
    blamePath: null,
    logger,
  });
}

function workNow(): Work | null {
  const { use, context } = callNow()?.job ?? {};
  if (use === undefined) return null;
  const { pipeline = null, stage = null, itemId = null, sequenceId = null } = context as Partial<Record<string, never>>;
  return { pipeline, stage, task: use.name, item: itemId, sequenceId };
}

interface Telling {
  hand: Hand;
  logger: Logger;
  taskLogger: PlainLogger;
  isEnding(): boolean;
  exit(code: number): never;
}

/** Tells the owner, who masks secrets, of what a task has left behind; here it is only named. */
function tellOfEnds({ hand, logger, taskLogger, isEnding, exit }: Telling): void {
  process.on('unhandledRejection', (error) => {
    taskLogger.error({ ...workNow(), error }, 'a promise was rejected and nobody waited for it');
  });
  process.on('uncaughtException', (error) => {
    logger.fatal({ ...workNow(), type: error?.name }, 'uncaught exception: the hand ends');
    taskLogger.error({ ...workNow(), error }, 'uncaught exception: the hand ends');
    hand.crash(callNow()?.job.id, error).finally(() => exit(EXIT_FAULT));
    setTimeout(exit, TELL_MS, EXIT_FAULT);
  });
  process.on('exit', (code) => {
    if (!isEnding()) logger.fatal({ code, ...workNow() }, 'process.exit was called');
  });
}
