import { once } from 'node:events';
import { availableParallelism, totalmem } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import PQueue from 'p-queue';
import type { Piscina } from 'piscina';
import { AbortedError, PermanentError, revive } from '../engine/index.ts';
import { type Logger, silentLogger, type ThreadJob, type ThreadRunner } from '../engine/ports.ts';
import type { LeftBehind, ThreadMessage, ThreadTask } from './thread-worker.ts';

export interface ThreadRunnerOptions {
  /** Gets what a task in a thread logs. */
  logger?: Logger;
  /** By default, one a processor. */
  maxThreads?: number | undefined;
  /** How long a job may take to begin once it has a thread, in milliseconds. */
  startMs?: number;
  /** How large the heap of a thread may grow. By default, all of them together take half of the memory at most. */
  heapMib?: number;
}

/** A thread that has had nothing to do for so long ends; starting one takes some ten milliseconds. */
const IDLE_MS = 30_000;
/** A thread that is held by a system call cannot be ended; nobody waits longer for it. */
const CLOSE_MS = 2000;
/** For the start of a thread and the loading of a task's module. */
const START_MS = 30_000;
const HEAP_MIB = { min: 128, max: 4096 };
const MIB = 1024 * 1024;

/**
 * Runs jobs in a pool of worker threads. The pool is made at the first job, so a service without such tasks has none. A job has its
 * thread to itself; aborting ends the thread, busy loop or not. A thread that dies, or runs out of its memory, fails the job that it has,
 * and the next job gets another.
 *
 *     run ─▶ waiting for a thread ─▶ the module is loaded ─onBegin─▶ running ─▶ its outcome
 *                  └──── abort ────────────┴──────── abort ────────────┴─────▶ rejected with the signal's reason
 */
export function createThreadRunner({
  logger = silentLogger,
  maxThreads = availableParallelism(),
  startMs = START_MS,
  heapMib = heapShare(maxThreads),
}: ThreadRunnerOptions = {}): ThreadRunner {
  let starting: Promise<Piscina> | undefined;
  let closed = false;
  // Jobs wait here and not in the pool, which starts no thread for who waits when one dies.
  const queue = new PQueue({ concurrency: maxThreads });
  const waiting = new Set<AbortController>();
  /** Also those that the pool has given up, as long as they have not ended. */
  const alive = new Set<Worker>();

  async function begin(job: ThreadJob, signal: AbortSignal): Promise<unknown> {
    if (closed) throw new AbortedError('the thread pool is closed');
    starting ??= start();
    return runJob(await starting, job, signal, { logger, startMs });
  }

  async function start(): Promise<Piscina> {
    const { Piscina } = await import('piscina');
    const pool = new Piscina({
      // The extension is this file's: .ts in the sources, .js in what is built from them.
      filename: fileURLToPath(new URL(`./thread-worker${extname(import.meta.url)}`, import.meta.url)),
      name: 'runInThread',
      minThreads: 0,
      maxThreads,
      idleTimeout: IDLE_MS,
      recordTiming: false,
      // With atomics a thread sleeps between jobs and holds up whatever a task left to finish in the background.
      atomics: 'disabled',
      resourceLimits: { maxOldGenerationSizeMb: heapMib },
    });
    // Without these, a thread that fails between two jobs would end the process, and what tasks leave behind would be lost.
    pool.on('error', (err: unknown) => logger.error({ err }, 'a worker thread failed while it had no job'));
    pool.on('message', (message: unknown) => report(message, logger));
    pool.on('workerCreate', () => {
      for (const thread of pool.threads) {
        if (alive.has(thread)) continue;
        alive.add(thread);
        thread.once('exit', () => alive.delete(thread));
      }
    });
    return pool;
  }

  /** False when a thread has not ended in time. */
  async function allEnded(): Promise<boolean> {
    if (alive.size === 0) return true;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), CLOSE_MS);
    await Promise.all([...alive].map((thread) => once(thread, 'exit', { signal: late.signal }))).catch(() => undefined);
    clearTimeout(timer);
    return alive.size === 0;
  }

  return {
    size: maxThreads,
    async run(job, signal) {
      if (closed) throw new AbortedError('the thread pool is closed');
      signal.throwIfAborted();
      const wait = new AbortController();
      const giveUp = (): void => wait.abort(signal.reason);
      waiting.add(wait);
      signal.addEventListener('abort', giveUp, { once: true });
      const leave = (): void => {
        waiting.delete(wait);
        signal.removeEventListener('abort', giveUp);
      };
      return queue
        .add(
          () => {
            leave();
            return begin(job, signal);
          },
          { signal: wait.signal },
        )
        .finally(leave);
    },
    async close() {
      closed = true;
      for (const wait of waiting) wait.abort(new AbortedError('the thread pool is closed'));
      const pool = await starting;
      if (pool === undefined) return true;
      void pool.destroy();
      const haveEnded = await allEnded();
      if (!haveEnded) logger.error({}, `a worker thread does not end within ${CLOSE_MS / 1000} s; it is left to the end of the process`);
      return haveEnded;
    },
  };
}

function heapShare(threads: number): number {
  // The memory limit of a container; 0, or more than the machine has, if there is none.
  const allowed = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const share = Math.floor(Math.min(allowed, totalmem()) / 2 / threads / MIB);
  return Math.min(HEAP_MIB.max, Math.max(HEAP_MIB.min, share));
}

/** Tasks may post anything on their thread's port; only what {@link LeftBehind} says is ours. */
function report(message: unknown, logger: Logger): void {
  const { leftBehind } = (typeof message === 'object' && message !== null ? message : {}) as Partial<LeftBehind>;
  if (typeof leftBehind?.error !== 'object' || leftBehind.error === null) {
    logger.warn({}, 'a task posted a message from its thread; nothing receives it');
    return;
  }
  const { pipeline, stage, task, itemId: item } = leftBehind.context ?? ({} as Partial<ThreadJob['context']>);
  logger.error({ pipeline, stage, task, item, err: revive(leftBehind.error) }, `${leftBehind.what}, after its end`);
}

async function runJob(
  pool: Piscina,
  job: ThreadJob,
  signal: AbortSignal,
  { logger, startMs }: Required<Pick<ThreadRunnerOptions, 'logger' | 'startMs'>>,
): Promise<unknown> {
  const { port1: port, port2 } = new MessageChannel();
  let end: Extract<ThreadMessage, { type: 'end' }> | undefined;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), startMs);
  const receive = (message: ThreadMessage): void => {
    if (message.type === 'begin') {
      clearTimeout(timer);
      job.onBegin();
    } else if (message.type === 'status') job.onStatus(message.text);
    else if (message.type === 'progress') job.onProgress(message.fraction);
    else if (message.type === 'log') logger[message.level](message.fields, message.text);
    else end = message;
  };
  port.on('message', receive);
  try {
    const task: ThreadTask = { module: job.module, args: job.args, context: job.context, port: port2 };
    await pool.run(task, { signal: AbortSignal.any([signal, late.signal]), transferList: [port2] });
    receiveRest(port, receive);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (late.signal.aborted) throw named('ThreadStart', `the module of the task did not load within ${startMs / 1000} s`);
    // A job that fails by what it has left behind says so before it ends its thread.
    receiveRest(port, receive);
    if (end === undefined) throw failureOf(error);
  } finally {
    clearTimeout(timer);
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
  if (error instanceof Error && error.name === 'DataCloneError')
    return new PermanentError(`the value cannot be sent to a thread: ${error.message}`);
  if (error instanceof Error && error.name === 'AbortError') return new AbortedError('the thread pool is closed');
  if ((error as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return named('OutOfMemory', 'the thread of the task ran out of memory');
  }
  const code = error instanceof Error ? /^worker exited with code: (\d+)$/.exec(error.message)?.[1] : undefined;
  if (code !== undefined) return named('ThreadEnded', `the task ended its thread, with exit code ${code}, before it had a result`);
  return error;
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
