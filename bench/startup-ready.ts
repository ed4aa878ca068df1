import type { ChildProcess } from 'node:child_process';
import { get } from 'node:http';

/** Not by `fetch`: asking in vain hundreds of times would take from the server the processor that it starts on. */
function statusOf(port: number): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    request.on('error', () => resolve(0));
  });
}

/** The instant, as of `performance.now()`, of the first 200 of /readyz. Throws when the server ends before. */
export async function readyAfter(child: ChildProcess, port: number): Promise<number> {
  for (;;) {
    if ((await statusOf(port)) === 200) return performance.now();
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
