import { url as debuggerUrl } from 'node:inspector';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Logger, Work } from '../engine/ports.ts';
import type { SharedLoopNotes } from './loop-notes.ts';
import { type WatchdogData, type WatchdogMessage, WORK_NOW } from './watchdog-messages.ts';

export interface WatchdogOptions {
  notes: SharedLoopNotes;
  /** The call that is running now, as far as the main thread knows. */
  workNow: () => Work | null;
  /** 0: a loop may stand as long as it likes. */
  stallSeconds: number;
  shutdownSeconds: number;
  secrets: Readonly<Record<string, string>>;
  isSilent: boolean;
  blamePath: string | null;
  logger: Logger;
}

export interface Watchdog {
  /** The start is over: from now on the loop must not stand. */
  serving(): void;
  /** A shutdown has begun, or a harder one; the process has to end within this and a grace. */
  expectEnd(seconds: number): void;
  /** Secrets have got other values. */
  masks(secrets: Readonly<Record<string, string>>): void;
  /** The report is in the log. */
  reported(): void;
}

const TICK_MS = { min: 20, max: 500 };
const TICKS_A_LIMIT = 20;

/** Starts the thread that ends this process when its event loop stands once it serves, or its shutdown does not end; resolves when it watches. */
export async function startWatchdog(options: WatchdogOptions): Promise<Watchdog> {
  const { notes, workNow, shutdownSeconds, secrets, isSilent, blamePath, logger } = options;
  const stallSeconds = options.stallSeconds || Number.POSITIVE_INFINITY;
  const tickMs = Math.min(TICK_MS.max, Math.max(TICK_MS.min, (Math.min(stallSeconds, shutdownSeconds) * 1000) / TICKS_A_LIMIT));
  const data: WatchdogData = { notes: notes.shared, stallSeconds, shutdownSeconds, tickMs, secrets, isSilent, blamePath };
  const thread = startThread(data);
  thread.unref();
  const post = (message: WatchdogMessage): void => thread.postMessage(message);

  // Asked by the thread, in the middle of whatever holds the loop.
  Object.defineProperty(globalThis, Symbol.for(WORK_NOW), {
    value: () => JSON.stringify({ work: workNow(), stack: stackOf(new Error('held')) }),
  });
  const beat = (): void => notes.beat(debuggerUrl() !== undefined);
  beat();
  setInterval(beat, tickMs).unref();
  notes.tell((place) => post({ is: 'place', place }));
  thread.on('error', (err) => logger.error({ err }, 'nobody looks after the event loop any more'));
  await new Promise<void>((resolve, reject) => {
    thread.once('message', () => resolve());
    thread.once('error', reject);
  });
  return {
    serving: () => post({ is: 'serving' }),
    expectEnd: (seconds) => post({ is: 'shutdown', seconds }),
    masks: (fresh) => post({ is: 'secrets', secrets: fresh }),
    reported: () => post({ is: 'reported' }),
  };
}

function startThread(data: WatchdogData): Worker {
  // The extension is this file's: .ts in the sources, .js in what is built from them.
  const file = new URL(`./watchdog-thread${extname(import.meta.url)}`, import.meta.url);
  try {
    return new Worker(file, { workerData: data, execArgv: ['--expose-internals', '--no-warnings'] });
  } catch {
    // A Node that does not know the option: the thread does what can be done without it.
    return new Worker(file, { workerData: data });
  }
}

/** Without the lines of who asks. */
function stackOf({ stack = '' }: Error): string {
  return stack.split('\n').slice(3).join('\n');
}
