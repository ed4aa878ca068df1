import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** Text of both streams so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when the text has come out on stdout or stderr; rejects with all there was when the process ends before. */
  printed(text: string | RegExp): Promise<void>;
  readonly ended: Promise<Ended>;
}

interface Options {
  env?: Record<string, string>;
  stdin?: string;
  cwd?: string;
  /** A command that runs it, such as one that gives it a terminal. */
  under?: readonly string[];
}

const ENTRY = `${import.meta.dirname}/../../bin/sluice.js`;

/** The command line as a process, with nothing of this environment. */
export function startSluice(args: readonly string[], { env = {}, stdin, cwd, under = [] }: Options = {}): Running {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
  const [command = '', ...rest] = [...under, process.execPath, '--disable-warning=ExperimentalWarning', ENTRY, ...args];
  const child = spawn(command, rest, { ...(cwd !== undefined && { cwd }), env: { PATH, HOME, NODE_COMPILE_CACHE, ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const text = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
      for (const watch of [...watchers]) watch();
    });
  }
  // One that ends before it has read all of it is none of the test's business.
  child.stdin.on('error', () => undefined);
  if (stdin !== undefined) child.stdin.end(stdin);
  let isOver = false;
  const ended = once(child, 'close').then(([code]) => {
    isOver = true;
    for (const watch of [...watchers]) watch();
    return { code: code as number | null, ...text };
  });
  return {
    child,
    get stdout() {
      return text.stdout;
    },
    get stderr() {
      return text.stderr;
    },
    printed: (wanted) =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          const all = text.stdout + text.stderr;
          if (typeof wanted === 'string' ? all.includes(wanted) : wanted.test(all)) resolve();
          else if (isOver) reject(new Error(`it ended without ${wanted}:\n${all}`));
          else return;
          watchers.delete(watch);
        };
        watchers.add(watch);
        watch();
      }),
    ended,
  };
}

export const sluice = (args: readonly string[], options: Options = {}): Promise<Ended> =>
  startSluice(args, { stdin: '', ...options }).ended;
