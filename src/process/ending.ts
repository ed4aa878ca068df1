/**
 * The end of a shutdown: replies, the store, the report, the exit code, each within its time. Together with what the host takes to close
 * its threads and to write, that is less than the grace after which the watchdog ends the process.
 */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { LocalHost } from '../engine/index.ts';
import type { ShutdownReport } from '../schemas/control.ts';
import type { Guard } from './guard.ts';
import { killOwnProcess } from './record.ts';
import type { Watchdog } from './watchdog.ts';

/** After the pipelines have ended: how long replies in flight may take. */
const LAST_REPLIES_MS = 5000;
/** Then their connections are cut, which takes a moment. */
const CUT_MS = 500;
const STORE_MS = 1000;
const SPANS_MS = 1000;
const EXIT_NOT_STORED = 1;

/** The pipelines, or a node's part in a cluster. */
export interface EndingHost extends Pick<LocalHost, 'close' | 'notStored' | 'hasThreadsLeft'> {
  /** True where others wait for it to be closed: then that does not wait for the last replies. */
  readonly isAwaited?: boolean;
}

export interface EndingDeps {
  app: FastifyInstance | undefined;
  host: EndingHost | undefined;
  guard: Guard;
  logger: Logger;
  watchdog: Watchdog | undefined;
  /** Has whoever collects the spans of pipelines send them on; undefined when nobody does. */
  flushSpans: (() => Promise<void>) | undefined;
}

/** Logs the report whatever happens on the way, and ends the process: with 0 when the store has everything that it promised. */
export async function endProcess(report: ShutdownReport, { app, host, guard, logger, watchdog, flushSpans }: EndingDeps): Promise<void> {
  const isStoreHeld = await closeService({ app, host, logger });
  const flushed = flushSpans === undefined ? 'done' : await within(SPANS_MS, flushSpans());
  if (flushed !== 'done') logger.error({ err: errorOf(flushed) }, 'the OpenTelemetry SDK does not send its spans on; they are left behind');
  const notStored = host?.notStored() ?? { count: 0, ids: [] };
  const whole = notStored.count === 0 ? report : { ...report, notKept: notStored.count, notKeptIds: notStored.ids };
  logger[notStored.count === 0 ? 'info' : 'error'](whole, 'shutdown report');
  watchdog?.reported();
  leave(notStored.count === 0 ? 0 : EXIT_NOT_STORED, { isHeld: isStoreHeld || host?.hasThreadsLeft === true, guard });
}

/** Closes the HTTP side and the store, each within its time; true when the store cannot be closed. */
export async function closeService({ app, host, logger }: Pick<EndingDeps, 'app' | 'host' | 'logger'>): Promise<boolean> {
  const replies = closeApp(app, logger);
  if (host?.isAwaited !== true) await replies;
  const [isHeld] = await Promise.all([host?.isAwaited === true ? leaveOthers(host, logger) : closeHost(host, logger), replies]);
  return isHeld;
}

async function closeApp(app: FastifyInstance | undefined, logger: Logger): Promise<void> {
  if (app !== undefined) {
    const late = setTimeout(() => app.server.closeAllConnections(), LAST_REPLIES_MS);
    const closed = await within(LAST_REPLIES_MS + CUT_MS, app.close());
    clearTimeout(late);
    if (closed !== 'done') logger.error({ err: errorOf(closed) }, 'the HTTP side does not close; it is left behind');
  }
}

/** The same for a node of a cluster, which has the time of the last replies for it: its log may be slow, or away. */
async function leaveOthers(host: EndingHost, logger: Logger): Promise<boolean> {
  const left = await within(LAST_REPLIES_MS + CUT_MS, host.close());
  if (left !== 'done')
    logger.warn({ err: errorOf(left) }, 'the node ends without having left the cluster in order: the others wait for its lease');
  return left !== 'done';
}

/** True when it cannot be closed. */
async function closeHost(host: EndingHost | undefined, logger: Logger): Promise<boolean> {
  const closed = host === undefined ? 'done' : await within(STORE_MS, host.close());
  if (closed !== 'done') logger.error({ err: errorOf(closed) }, 'the store does not close; it is left behind');
  return closed !== 'done';
}

/** Handles that Node waits for when it exits, however long a system call takes: files, DNS, and jobs of its thread pool. */
const POOL_WORK = /^(FS|GetAddrInfo|GetNameInfo)|Job$/;

/** An end of Node waits for its threads. One that is held by the system is left out by becoming another program, which ends with this code. */
function leave(code: number, { isHeld, guard }: { isHeld: boolean; guard: Guard }): void {
  if (!isHeld && !process.getActiveResourcesInfo().some((resource) => POOL_WORK.test(resource))) guard.exit(code);
  guard.become([process.execPath, '-e', `process.exit(${code})`]);
  killOwnProcess();
  process.abort();
}

type Ended = 'done' | 'late' | { error: unknown };

async function within(ms: number, work: PromiseLike<unknown>): Promise<Ended> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms);
  });
  const done = Promise.resolve(work).then(
    () => 'done' as const,
    (error: unknown) => ({ error }),
  );
  const first = await Promise.race([done, late]);
  clearTimeout(timer);
  return first;
}

function errorOf(ended: Exclude<Ended, 'done'>): unknown {
  return ended === 'late' ? undefined : ended.error;
}
