/** The thread that writes: one message a transaction, answered when it is on disk. */
import { parentPort, workerData } from 'node:worker_threads';
import { StoreTrouble, type Writes } from '../../engine/store.ts';
import { toldOf } from './trouble.ts';
import { Writer } from './writer.ts';

export type WriterMessage = { writes: Writes; number: number; place?: string } | 'close';
export type WriterReply =
  /** The file is open; the last write that it has had this number. */
  | { is: 'open'; applied: number }
  | { is: 'unopened'; message: string; code: string }
  | { is: 'done' }
  /** Not written; the same write may succeed later. */
  | { is: 'failed'; reason: string; message: string; code: string }
  /** Not written, and it never will be. */
  | { is: 'broken'; message: string; code: string; stack: string | undefined }
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
    const { file, isReplica } = workerData as { file: string; isReplica: boolean };
    const writer = new Writer(file, isReplica);
    say({ is: 'open', applied: writer.applied });
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
      writer.apply(message.writes, message.number, message.place);
      say({ is: 'done' });
      dropOn(writer);
    } catch (error) {
      say(replyTo(toldOf(error)));
    }
  });
  dropOn(writer);
}

function replyTo(error: unknown): WriterReply {
  const { cause = error, stack } = error as Error;
  const { message, code = '' } = cause as Error & { code?: string };
  return error instanceof StoreTrouble ? { is: 'failed', reason: error.reason, message, code } : { is: 'broken', message, code, stack };
}

const writer = open();
if (writer !== null) serve(writer);
