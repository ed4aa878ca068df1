/**
 * Loaded into the service before its own code (`--import`): tells over a socket of its own how long the event loop was held, and how
 * much memory is in use.
 *
 * A turn is measured by the processor time of the main thread between two beats of a timer, not by the clock: what other processes
 * of the machine do in the meantime does not count. A beat comes with the first turn that ends after it is due, so at most
 * {@link BEAT_MS} of other turns are counted along.
 */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const BEAT_MS = 5;
/** Turns that are longer are listed. */
const LONG_MS = 50;
const LISTED_MAX = 1000;

export interface Turn {
  /** Processor time of the main thread. */
  cpuMs: number;
  /** Epoch milliseconds between which it lies. */
  from: number;
  to: number;
}

export interface ProbeReading {
  /** The longest since the last reading. */
  longestCpuMs: number;
  /** Those of more than 50 ms since the last reading. */
  turns: Turn[];
  /** After a garbage collection. */
  heapBytes: number;
  rssBytes: number;
  /** The most that the process has ever had. */
  peakRssBytes: number;
}

const { FUZZ_PROBE } = process.env;
// Of this process alone, not of its children.
delete process.env.FUZZ_PROBE;
if (FUZZ_PROBE !== undefined && isMainThread) listen(FUZZ_PROBE);

function listen(path: string): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let longest = 0;
  let turns: Turn[] = [];
  let from = Date.now();
  let before = cpuOf();
  const beat = (): void => {
    const to = Date.now();
    const now = cpuOf();
    const cpuMs = (now - before) / 1000;
    if (cpuMs > longest) longest = cpuMs;
    if (cpuMs > LONG_MS && turns.length < LISTED_MAX) turns.push({ cpuMs, from, to });
    from = to;
    before = now;
  };
  setInterval(beat, BEAT_MS).unref();

  const server = createServer((socket) => {
    createInterface(socket).on('line', () => {
      beat();
      // Twice: what the first one sets free with a callback is gone after the second.
      collect();
      collect();
      const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
      const reading: ProbeReading = {
        longestCpuMs: longest,
        turns,
        heapBytes: heapUsed + Math.max(external, arrayBuffers),
        rssBytes: rss,
        peakRssBytes: process.resourceUsage().maxRSS * 1024,
      };
      socket.write(`${JSON.stringify(reading)}\n`);
      longest = 0;
      turns = [];
      // The collection is not the service's.
      from = Date.now();
      before = cpuOf();
    });
    socket.on('error', () => undefined);
  });
  server.listen(path);
  server.unref();
}

/** Microseconds of the main thread; of all threads before Node.js 23.9, which is more. */
function cpuOf(): number {
  const { user, system } = 'threadCpuUsage' in process ? process.threadCpuUsage() : (process as NodeJS.Process).cpuUsage();
  return user + system;
}
