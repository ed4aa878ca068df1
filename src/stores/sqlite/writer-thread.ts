/** The thread that writes: one message a transaction, answered when it is on disk. */
import { parentPort, workerData } from 'node:worker_threads';
import { StoreTrouble, type Writes } from '../../engine/store.ts';
import { Writer } from './writer.ts';

export type WriterMessage = { writes: Writes } | 'close';
export type WriterReply =
  /** The file is open. */
  | { is: 'open' }
  | { is: 'unopened'; message: string; code: string }
  | { is: 'done' }
  | { is: 'failed'; message: string; code: string }
  /** Not written: the files are not there any more. */
  | { is: 'lost'; reason: string }
  | { is: 'closed' }
  /** Unasked: the files are missing, or back. */
  | { is: 'missing'; reason: string }
  | { is: 'present' };

/** How often it looks whether its files are still there. */
const LOOK_MS = 500;

const port = parentPort as NonNullable<typeof parentPort>;
const say = (reply: WriterReply): void => port.postMessage(reply);
let isDropping = false;
let isClosed = false;
let told: string | null = null;

function open(): Writer | null {
  try {
    const writer = new Writer((workerData as { file: string }).file);
    say({ is: 'open' });
    return writer;
  } catch (error) {
    const { message, code = '' } = error as Error & { code?: string };
    say({ is: 'unopened', message, code });
    return null;
  }
}

function dropOn(writer: Writer): void {
  if (isDropping || isClosed) return;
  isDropping = true;
  setImmediate(() => {
    isDropping = false;
    if (isClosed) return;
    try {
      if (writer.dropSome()) dropOn(writer);
    } catch {
      // It goes on with the next write that succeeds.
    }
  });
}

function look(writer: Writer): void {
  const fault = writer.fault();
  if (fault === told) return;
  told = fault;
  say(fault === null ? { is: 'present' } : { is: 'missing', reason: fault });
}

function serve(writer: Writer): void {
  const looking = setInterval(() => look(writer), LOOK_MS);
  port.on('message', (message: WriterMessage) => {
    if (message === 'close') {
      isClosed = true;
      clearInterval(looking);
      writer.close();
      say({ is: 'closed' });
      port.close();
      return;
    }
    try {
      writer.apply(message.writes);
      say({ is: 'done' });
      dropOn(writer);
    } catch (error) {
      const { message: text, code = '' } = error as Error & { code?: string };
      say(error instanceof StoreTrouble ? { is: 'lost', reason: error.reason } : { is: 'failed', message: text, code });
    }
  });
  dropOn(writer);
}

const writer = open();
if (writer !== null) serve(writer);
