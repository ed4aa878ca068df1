import { cpuMs } from '../row.ts';

/** Says on which port, and answers the benchmark's questions: its usage, and what the server itself knows. Orders are objects and the server's own. */
export function ready(port: number, answer: (message: unknown) => unknown = () => null): void {
  process.on('message', (message) => {
    if (typeof message !== 'string') return;
    if (message !== 'usage') {
      process.send?.(answer(message) as object);
      return;
    }
    globalThis.gc?.();
    process.send?.({ cpuMs: cpuMs(), rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed });
  });
  process.send?.({ port });
}
