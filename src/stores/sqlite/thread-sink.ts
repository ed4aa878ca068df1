import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { StoreTrouble, type Writes } from '../../engine/store.ts';
import { type Sink, type Told, WriteNumbers } from './sinks.ts';
import type { WriterMessage, WriterReply } from './writer-thread.ts';

/** How long it takes until a thread that could not be started is started again. */
const AGAIN_MS = 500;

/** Why nothing is written until there is another thread. */
const ENDED = 'its writer has ended';

interface Opened {
  thread: Worker;
  /** The number of the last write that the file has. */
  applied: number;
}

/**
 * Writes in a thread. One that ends by itself, because its memory is used up or by a fault, is replaced; the write that was under way is tried
 * again by whoever asked for it, and carried out unless the file has it already.
 */
export class ThreadSink implements Sink {
  private readonly file: string;
  private readonly isReplica: boolean;
  private readonly numbers: WriteNumbers;
  private thread: Worker | null = null;
  private reviving: Promise<void> | null = null;
  private settle: { resolve: () => void; reject: (error: unknown) => void } | null = null;
  private told: Told = () => undefined;
  private isClosed = false;

  /** Resolves when the thread has the file open. */
  static async open(file: string, isReplica = false): Promise<ThreadSink> {
    const { thread, applied } = await openThread(file, isReplica);
    return new ThreadSink(file, isReplica, thread, applied);
  }

  private constructor(file: string, isReplica: boolean, thread: Worker, applied: number) {
    this.file = file;
    this.isReplica = isReplica;
    this.numbers = new WriteNumbers(applied);
    this.serve(thread);
  }

  async write(writes: Writes, place?: string): Promise<void> {
    const number = this.numbers.of(writes);
    if (this.thread === null) await this.revive();
    await this.send({ writes, number, ...(place !== undefined && { place }) });
    this.numbers.done();
  }

  watch(told: Told): void {
    this.told = told;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.told = () => undefined;
    await this.send('close').catch(() => undefined);
    await this.thread?.terminate();
  }

  private serve(thread: Worker): void {
    this.thread = thread;
    thread.on('message', (reply: WriterReply) => this.take(reply));
    thread.on('error', (error) => this.end(thread, error));
    thread.on('exit', (code) => this.end(thread, new Error(`the writer thread has ended with ${code}`)));
  }

  private take(reply: WriterReply): void {
    if (reply.is === 'present' || reply.is === 'missing') {
      this.told(reply.is === 'present' ? null : new StoreTrouble(reply.reason));
      return;
    }
    const { settle } = this;
    this.settle = null;
    if (reply.is === 'failed') settle?.reject(new StoreTrouble(reply.reason, causeOf(reply)));
    else if (reply.is === 'broken') settle?.reject(causeOf(reply));
    else settle?.resolve();
  }

  private send(message: WriterMessage): Promise<void> {
    const { thread } = this;
    if (thread === null) return Promise.reject(new StoreTrouble(ENDED));
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      thread.postMessage(message);
    });
  }

  private end(thread: Worker, error: unknown): void {
    if (this.thread !== thread) return;
    this.thread = null;
    const trouble = new StoreTrouble(ENDED, error);
    this.settle?.reject(trouble);
    this.settle = null;
    // It also looks whether the files are there, so it is needed when nothing is written, too.
    if (!this.isClosed) this.revive().catch(() => this.reviveLater(trouble));
  }

  private revive(): Promise<void> {
    this.reviving ??= openThread(this.file, this.isReplica)
      .then(({ thread }) => {
        if (this.isClosed) void thread.terminate();
        else this.serve(thread);
      })
      .finally(() => {
        this.reviving = null;
      });
    return this.reviving;
  }

  private reviveLater(trouble: StoreTrouble): void {
    this.told(trouble);
    setTimeout(() => {
      if (this.isClosed || this.thread !== null) return;
      this.revive().then(
        () => this.told(null),
        () => this.reviveLater(trouble),
      );
    }, AGAIN_MS).unref();
  }
}

/** Rejects with the error of opening the file, or with a {@link StoreTrouble} when the thread has ended before. */
async function openThread(file: string, isReplica: boolean): Promise<Opened> {
  // The extension is this file's: .ts in the sources, .js in what is built from them.
  const thread = new Worker(new URL(`./writer-thread${extname(import.meta.url)}`, import.meta.url), { workerData: { file, isReplica } });
  const { promise, resolve, reject } = Promise.withResolvers<Opened>();
  const ended = (error: unknown): void => reject(new StoreTrouble(ENDED, error));
  thread.on('error', ended);
  thread.on('exit', ended);
  thread.once('message', (reply: WriterReply) => {
    if (reply.is === 'open') resolve({ thread, applied: reply.applied });
    else if (reply.is === 'unopened') reject(causeOf(reply));
  });
  try {
    return await promise;
  } catch (error) {
    await thread.terminate();
    throw error;
  } finally {
    thread.off('error', ended);
    thread.off('exit', ended);
  }
}

function causeOf({ message, code, stack }: { message: string; code: string; stack?: string | undefined }): Error {
  const error = Object.assign(new Error(message), { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}
