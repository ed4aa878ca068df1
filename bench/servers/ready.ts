import { cpuMs } from '../row.ts';

/** Says on which port, and answers the benchmark's questions: its usage, and what the server itself knows. */
export function ready(port: number, answer: (message: unknown) => unknown = () => null): void {
  process.on('message', (message) => {
    if (message !== 'usage') {
      process.send?.(answer(message) as object);
      return;
    }
    globalThis.gc?.();
    process.send?.({ cpuMs: cpuMs(), rss: process.memoryUsage.rss() });
  });
  process.send?.({ port });
}
