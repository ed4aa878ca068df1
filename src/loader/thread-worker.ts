/**
 * The code of a worker thread: one exported function, called by the pool with one job at a time. It imports
 * next to nothing, so a thread starts without loading the service.
 *
 * A job may leave something behind: a promise that rejects, a timer whose callback throws. While that job runs, it is the job that
 * fails, and the thread ends with everything else that the job has begun. Later it is reported and changes nothing: the thread may have
 * another job by then.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { TaskContext } from '../engine/index.ts';
import type { Logger, ThreadContext } from '../engine/ports.ts';
import { type PlainError, plainError } from '../schemas/thrown.ts';
import { defaultOf, offerTaskEntry, readModulesOf } from './task-entry.ts';

offerTaskEntry();

export interface ThreadTask {
  module: string;
  args: unknown[];
  context: ThreadContext;
  /** The job's own line to the service; it takes {@link ThreadMessage}s. */
  port: MessagePort;
}

export type ThreadMessage =
  | { type: 'begin' }
  | { type: 'status'; text: string }
  | { type: 'progress'; fraction: number }
  | { type: 'log'; level: keyof Logger; fields: object; text: string }
  | { type: 'end'; ok: true; value: unknown }
  | { type: 'end'; ok: false; error: PlainError };

/** An error from something that a job left behind in its thread, reported after its end on the thread's own port. */
export interface LeftBehind {
  leftBehind: { what: string; error: PlainError; context: ThreadContext | undefined };
}

/** The job whose code is running, in callbacks too. */
const jobs = new AsyncLocalStorage<ThreadTask>();
let running: ThreadTask | null = null;

/**
 * Never rejects: how the job ended is its last message.
 *
 * @public called by the pool, by its name
 */
export async function runInThread(job: ThreadTask): Promise<void> {
  const { module, args, context, port } = job;
  const post = (message: ThreadMessage): void => port.postMessage(message);
  running = job;
  try {
    const value = await jobs.run(job, async () => {
      readModulesOf(new URL('.', module).href);
      const task = defaultOf((await import(module)) as object) as { run(...args: unknown[]): unknown };
      post({ type: 'begin' });
      return task.run(...args, contextOf(context, post));
    });
    post({ type: 'end', ok: true, value });
  } catch (error) {
    // Posting is in the try: a result that cannot be cloned is the task's failure, not the thread's.
    post({ type: 'end', ok: false, error: plainError(error) });
  } finally {
    running = null;
  }
}

function onFault(what: string, thrown: unknown): void {
  const owner = jobs.getStore();
  const error = plainError(thrown);
  if (running !== null && (owner ?? running) === running) {
    const failed: ThreadMessage = { type: 'end', ok: false, error: { ...error, message: `${what}: ${error.message}` } };
    running.port.postMessage(failed);
    process.exit(1);
  }
  parentPort?.postMessage({ leftBehind: { what, error, context: owner?.context } } satisfies LeftBehind);
}
process.on('uncaughtException', (error, origin) => {
  if (origin === 'uncaughtException') onFault('a callback of the task threw', error);
});
process.on('unhandledRejection', (error) => onFault('the task left a promise behind that was rejected', error));

function contextOf(context: ThreadContext, post: (message: ThreadMessage) => void): TaskContext {
  let statusAt = Number.NEGATIVE_INFINITY;
  return {
    ...context,
    // Never aborts: whoever aborts the job ends its thread.
    onAbort: () => undefined,
    signal: new AbortController().signal,
    logger: loggerOf(post),
    setStatus(text, { minIntervalSeconds = 0 } = {}) {
      const now = performance.now();
      if (now - statusAt < minIntervalSeconds * 1000) return false;
      statusAt = now;
      post({ type: 'status', text: String(text) });
      return true;
    },
    progress: (fraction) => post({ type: 'progress', fraction: Number(fraction) }),
    permanent: (message) => Object.assign(new Error(message), { name: 'PermanentError', permanent: true }),
    retryAfter: (seconds, message = `try again after ${seconds} s`) =>
      Object.assign(new Error(message), { name: 'RetryAfterError', retryAfterSeconds: seconds }),
  };
}

function loggerOf(post: (message: ThreadMessage) => void): Logger {
  const log = (level: keyof Logger) => (fields: object, text: string) => {
    try {
      post({ type: 'log', level, fields, text });
    } catch {
      // A field that cannot be cloned costs the fields, never the task.
      post({ type: 'log', level, fields: {}, text });
    }
  };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}
