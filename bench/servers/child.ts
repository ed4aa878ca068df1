import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A server of a benchmark, in a process of its own. */
export interface BenchServer {
  port: number;
  /** Milliseconds of CPU that it has used so far. */
  cpu(): Promise<number>;
  /** The same after garbage was collected, and its resident memory. */
  usage(): Promise<{ cpuMs: number; rss: number }>;
  tell(message: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts a file of this folder, which calls {@link ready} in `ready.ts`; with the flags of the service, if no others are given. */
export async function startServer(
  name: string,
  args: readonly string[] = [],
  nodeFlags: readonly string[] = serviceFlags(),
): Promise<BenchServer> {
  const child = fork(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), args, {
    execArgv: ['--expose-gc', ...nodeFlags],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const { port } = (await next(child)) as { port: number };
  const tell = (message: unknown): Promise<unknown> => {
    child.send(message as object);
    return next(child);
  };
  return {
    port,
    cpu: () => tell('cpu') as Promise<number>,
    usage: () => tell('usage') as Promise<{ cpuMs: number; rss: number }>,
    tell,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

function next(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`a server of the benchmark ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message);
    });
  });
}

/** What `npm start` gives Node before the file, here or in the checkout in `root`. */
export function serviceFlags(root: string = fileURLToPath(new URL('../..', import.meta.url))): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}
