import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { AbortedError, PermanentError, RetryAfterError } from '../engine/index.ts';
import { type Logger, silentLogger, type ThreadJob, type ThreadRunner } from '../engine/ports.ts';
import type { ThreadError, ThreadMessage, ThreadTask } from './thread-worker.ts';

export interface ThreadRunnerOptions {
  /** Gets what a task in a thread logs. */
  logger?: Logger;
  /** By default, one a processor. */
  maxThreads?: number;
}

/** A thread that has had nothing to do for so long ends; starting one takes some ten milliseconds. */
const IDLE_MS = 30_000;

/**
 * Runs jobs in a pool of worker threads. The pool is made at the first job, so a service without such tasks has none. A job has its
 * thread to itself; aborting ends the thread, busy loop or not.
 *
 *     run ─▶ waiting for a thread ─▶ running ─▶ its outcome
 *                  └──── abort ────────┴─────▶ rejected with the signal's reason
 */
export function createThreadRunner({ logger = silentLogger, maxThreads = availableParallelism() }: ThreadRunnerOptions = {}): ThreadRunner {
  let starting: Promise<Piscina> | undefined;
  let closed = false;

  async function start(): Promise<Piscina> {
    const { Piscina } = await import('piscina');
    return new Piscina({
      // The extension is this file's: .ts in the sources, .js in what is built from them.
      filename: fileURLToPath(new URL(`./thread-worker${extname(import.meta.url)}`, import.meta.url)),
      name: 'runInThread',
      minThreads: 0,
      maxThreads,
      idleTimeout: IDLE_MS,
      recordTiming: false,
      // With atomics a thread sleeps between jobs and holds up whatever a task left to finish in the background.
      atomics: 'disabled',
    });
  }

  return {
    async run(job, signal) {
      if (closed) throw new AbortedError('the thread pool is closed');
      signal.throwIfAborted();
      starting ??= start();
      return runJob(await starting, job, signal, logger);
    },
    async close() {
      closed = true;
      await (await starting)?.destroy();
    },
  };
}

async function runJob(pool: Piscina, job: ThreadJob, signal: AbortSignal, logger: Logger): Promise<unknown> {
  const { port1: port, port2 } = new MessageChannel();
  let end: Extract<ThreadMessage, { type: 'end' }> | undefined;
  const receive = (message: ThreadMessage): void => {
    if (message.type === 'status') job.onStatus(message.text);
    else if (message.type === 'progress') job.onProgress(message.fraction);
    else if (message.type === 'log') logger[message.level](message.fields, message.text);
    else end = message;
  };
  port.on('message', receive);
  try {
    const task: ThreadTask = { module: job.module, args: job.args, context: job.context, port: port2 };
    await pool.run(task, { signal, transferList: [port2] });
    receiveRest(port, receive);
  } catch (error) {
    throw signal.aborted ? signal.reason : failureOf(error);
  } finally {
    port.close();
    port2.close();
  }
  if (end === undefined) throw new Error('the thread ended without a result');
  if (end.ok) return end.value;
  throw revive(end.error);
}

/** The pool's answer comes on another port, and may overtake what the job said last. */
function receiveRest(port: MessagePort, receive: (message: ThreadMessage) => void): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) receive(next.message);
}

/** An error outside the task itself: its value cannot be sent to a thread, its thread died, the pool was closed. */
function failureOf(error: unknown): unknown {
  if (error instanceof Error && error.name === 'DataCloneError') return new PermanentError(`cannot be sent to a thread: ${error.message}`);
  if (error instanceof Error && error.name === 'AbortError') return new AbortedError('the thread pool is closed');
  return error;
}

/** The structured clone of an error loses its own properties, and with them how a task steers; so it came as plain data. */
function revive({ name, message, permanent, retryAfterSeconds, stack }: ThreadError): Error {
  const error =
    retryAfterSeconds !== undefined
      ? new RetryAfterError(retryAfterSeconds, message)
      : permanent
        ? new PermanentError(message)
        : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
