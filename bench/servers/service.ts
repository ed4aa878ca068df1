import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { serviceFlags } from './child.ts';

interface LogRecord {
  msg: string;
  [field: string]: unknown;
}

/** The compiled service as `npm start` runs it, in an environment of its own. */
export interface Service {
  readonly port: number;
  readonly url: string;
  /** Milliseconds of CPU of the process and its threads so far, as `GET /metrics` has them. */
  cpuMs(): Promise<number>;
  /** Resolves when so many records with this message were logged; rejects when the process ends before. */
  logged(message: string, count?: number): Promise<void>;
  /** Resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** A benchmark that fails leaves nothing behind. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const root = fileURLToPath(new URL('../..', import.meta.url));
const MS_A_SECOND = 1000;

/** Starts it on a port of the system's and waits for the record `ready`. A hand (`ROLE=hand`) is never ready: `until` names what to wait for. */
export async function startService(env: Readonly<Record<string, string>>, until = 'ready'): Promise<Service> {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [...serviceFlags(), join(root, 'dist/src/server.js')], {
    cwd: root,
    env: { PATH, PORT: '0', OUTPUT_DIR: '/nonexistent', OVERLOAD_LOOP_DELAY_SECONDS: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const log = new Log(child);
  await log.has(until, 1);
  const url = String(log.records.find(({ msg }) => msg === 'listening')?.url ?? '');
  return {
    url,
    port: url === '' ? 0 : Number(new URL(url).port),
    logged: (message, count = 1) => log.has(message, count),
    async cpuMs() {
      const text = await (await fetch(`${url}/metrics`)).text();
      const seconds = [...text.matchAll(/^sluice_process_cpu_seconds_total\{.*\} (\S+)$/gm)].map(([, value]) => Number(value));
      if (seconds.length === 0) throw new Error('GET /metrics has no processor time');
      return seconds.reduce((sum, value) => sum + value, 0) * MS_A_SECOND;
    },
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    },
  };
}

/** What a process has logged, and who waits for more of it. */
class Log {
  readonly records: LogRecord[] = [];
  private readonly watchers = new Set<() => void>();
  private hasEnded = false;

  constructor(child: ChildProcess) {
    createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
      this.records.push(JSON.parse(line) as LogRecord);
      this.tell();
    });
    child.once('exit', () => {
      this.hasEnded = true;
      this.tell();
    });
  }

  has(message: string, count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const isThere = this.records.filter(({ msg }) => msg === message).length >= count;
        if (!isThere && !this.hasEnded) return;
        this.watchers.delete(watch);
        if (isThere) resolve();
        else reject(new Error(`the service ended before it logged "${message}": ${JSON.stringify(this.records.slice(-3))}`));
      };
      this.watchers.add(watch);
      watch();
    });
  }

  private tell(): void {
    for (const watch of [...this.watchers]) watch();
  }
}
