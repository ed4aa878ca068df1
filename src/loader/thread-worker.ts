/**
 * What runs in a worker thread: one exported function, called by the pool with one job at a time. It imports types
 * alone, so a thread starts without loading the service.
 */
import type { MessagePort } from 'node:worker_threads';
import type { TaskContext } from '../engine/index.ts';
import type { Logger, ThreadContext } from '../engine/ports.ts';

export interface ThreadTask {
  module: string;
  args: unknown[];
  context: ThreadContext;
  /** The job's own line to the service; it takes {@link ThreadMessage}s. */
  port: MessagePort;
}

export type ThreadMessage =
  | { type: 'status'; text: string }
  | { type: 'progress'; fraction: number }
  | { type: 'log'; level: keyof Logger; fields: object; text: string }
  | { type: 'end'; ok: true; value: unknown }
  | { type: 'end'; ok: false; error: ThreadError };

/** A thrown value as plain data. */
export interface ThreadError {
  name: string;
  message: string;
  permanent: boolean;
  retryAfterSeconds: number | undefined;
  stack: string | undefined;
}

/**
 * Never rejects: how the job ended is its last message.
 *
 * @public called by the pool, by its name
 */
export async function runInThread({ module, args, context, port }: ThreadTask): Promise<void> {
  const post = (message: ThreadMessage): void => port.postMessage(message);
  try {
    const { default: task } = (await import(module)) as { default: { run(...args: unknown[]): unknown } };
    post({ type: 'end', ok: true, value: await task.run(...args, contextOf(context, post)) });
  } catch (error) {
    // Posting is in the try: a result that cannot be cloned is the task's failure, not the thread's.
    post({ type: 'end', ok: false, error: plainError(error) });
  }
}

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

function plainError(thrown: unknown): ThreadError {
  if (typeof thrown !== 'object' || thrown === null) {
    return { name: 'NonError', message: String(thrown), permanent: false, retryAfterSeconds: undefined, stack: undefined };
  }
  const { name, message, permanent, retryAfterSeconds, stack } = thrown as Partial<ThreadError>;
  const unclonable = name === 'DataCloneError';
  return {
    name: unclonable ? 'PermanentError' : typeof name === 'string' && name !== '' ? name : 'Error',
    message: unclonable ? `the result cannot leave its thread: ${message}` : typeof message === 'string' ? message : JSON.stringify(thrown),
    permanent: unclonable || permanent === true,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : undefined,
    stack: typeof stack === 'string' ? stack : undefined,
  };
}
