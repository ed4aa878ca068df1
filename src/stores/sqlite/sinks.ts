import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { StoreTrouble, type Writes } from '../../engine/store.ts';
import { troubleOf } from './trouble.ts';
import type { Writer } from './writer.ts';
import type { WriterMessage, WriterReply } from './writer-thread.ts';

type Told = (trouble: StoreTrouble | null) => void;

/** Executes writes, in this process or in a thread. */
export interface Sink {
  write(writes: Writes): Promise<void>;
  /** Calls `told` when the files are found to be missing, and when they are back. */
  watch(told: Told): void;
  close(): Promise<void>;
}

export class LocalSink implements Sink {
  private readonly writer: Writer;

  constructor(writer: Writer) {
    this.writer = writer;
  }

  async write(writes: Writes): Promise<void> {
    try {
      this.writer.apply(writes);
    } catch (error) {
      const { code = '', message } = error as Error & { code?: string };
      throw error instanceof StoreTrouble ? error : troubleOf(code, message);
    }
    while (this.writer.dropSome());
  }

  /** It looks at its files when it writes. */
  watch(): void {}

  async close(): Promise<void> {
    this.writer.close();
  }
}

export class ThreadSink implements Sink {
  private readonly thread: Worker;
  private settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  private dead: StoreTrouble | null = null;
  private told: Told = () => undefined;

  /** Resolves when the thread has the file open. */
  static async open(file: string): Promise<ThreadSink> {
    // The extension is this file's: .ts in the sources, .js in what is built from them.
    const thread = new Worker(new URL(`./writer-thread${extname(import.meta.url)}`, import.meta.url), { workerData: { file } });
    const sink = new ThreadSink(thread);
    try {
      await new Promise<void>((resolve, reject) => {
        sink.settle = { resolve, reject };
      });
    } catch (error) {
      await thread.terminate();
      throw error;
    }
    return sink;
  }

  private constructor(thread: Worker) {
    this.thread = thread;
    thread.on('message', (reply: WriterReply) => {
      if (reply.is === 'present' || reply.is === 'missing') {
        this.told(reply.is === 'present' ? null : new StoreTrouble(reply.reason));
        return;
      }
      const { settle } = this;
      this.settle = null;
      if (reply.is === 'failed') settle?.reject(troubleOf(reply.code, reply.message));
      else if (reply.is === 'lost') settle?.reject(new StoreTrouble(reply.reason));
      else if (reply.is === 'unopened') settle?.reject(Object.assign(new Error(reply.message), { code: reply.code }));
      else settle?.resolve();
    });
    thread.on('error', (error) => this.die(error));
    thread.on('exit', () => this.die(new Error('the writer thread has ended')));
  }

  write(writes: Writes): Promise<void> {
    return this.send({ writes });
  }

  watch(told: Told): void {
    this.told = told;
  }

  async close(): Promise<void> {
    this.told = () => undefined;
    await this.send('close').catch(() => undefined);
    await this.thread.terminate();
  }

  private send(message: WriterMessage): Promise<void> {
    if (this.dead !== null) return Promise.reject(this.dead);
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      this.thread.postMessage(message);
    });
  }

  private die(error: unknown): void {
    this.dead ??= new StoreTrouble('its writer has ended', error);
    this.settle?.reject(this.dead);
    this.settle = null;
  }
}
