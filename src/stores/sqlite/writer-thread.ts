/** The thread that writes: one message a transaction, answered when it is on disk. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Writes } from '../../engine/store.ts';
import { Writer } from './writer.ts';

export type WriterMessage = { writes: Writes } | 'close';
export type WriterReply = { is: 'done' } | { is: 'failed'; message: string; code: string } | { is: 'closed' };

const port = parentPort as NonNullable<typeof parentPort>;
const writer = new Writer((workerData as { file: string }).file);
let isDropping = false;
let isClosed = false;

function dropOn(): void {
  if (isDropping || isClosed) return;
  isDropping = true;
  setImmediate(() => {
    isDropping = false;
    if (isClosed) return;
    try {
      if (writer.dropSome()) dropOn();
    } catch {
      // It goes on with the next write that succeeds.
    }
  });
}

port.on('message', (message: WriterMessage) => {
  if (message === 'close') {
    isClosed = true;
    writer.close();
    port.postMessage({ is: 'closed' } satisfies WriterReply);
    port.close();
    return;
  }
  try {
    writer.apply(message.writes);
    port.postMessage({ is: 'done' } satisfies WriterReply);
    dropOn();
  } catch (error) {
    const { message: text, code = '' } = error as Error & { code?: string };
    port.postMessage({ is: 'failed', message: text, code } satisfies WriterReply);
  }
});
dropOn();
