import { cpuMs } from '../row.ts';

/**
 * Says on which port, and answers the benchmark's questions: `cpu`, its milliseconds of CPU until now; `usage`, its memory too, after
 * collecting garbage; and what the server itself knows. Orders are objects and the server's own.
 */
export function ready(port: number, answer: (message: string) => unknown = () => null): void {
  process.on('message', async (message) => {
    if (typeof message === 'string') process.send?.((await answerTo(message, answer)) as object);
  });
  process.send?.({ port });
}

function answerTo(message: string, answer: (message: string) => unknown): unknown {
  if (message === 'cpu') return cpuMs();
  if (message !== 'usage') return answer(message);
  globalThis.gc?.();
  return { cpuMs: cpuMs(), rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed };
}
