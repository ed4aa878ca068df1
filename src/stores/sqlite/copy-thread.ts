/** The thread that writes a copy of a file, on a connection of its own: neither the event loop nor the writer waits for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { backup } from './backup.ts';

export type CopyReply = { bytes: number } | { message: string };

function copy({ file, target }: { file: string; target: string }): CopyReply {
  try {
    return { bytes: backup(file, target) };
  } catch (error) {
    return { message: (error as Error).message };
  }
}

parentPort?.postMessage(copy(workerData as { file: string; target: string }));
