/**
 * The real service as a child process: its own environment, its log as records, its end as an exit code.
 * Nothing here sleeps: a test waits for a record of the log, a response, an event, or the end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from 'vitest';
import { connect, type StreamClient } from '../http/sse-harness.ts';

const SOURCES = fileURLToPath(new URL('../../src/server.ts', import.meta.url));
/** In few files where the project of a test has it so: see test/setup/service-bundle.ts. */
const ENTRY = process.env.SERVICE_ENTRY ?? SOURCES;

export interface LogRecord {
  level: number;
  time: string;
  msg: string;
  [field: string]: unknown;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for the test to assert
  body: any;
}

export interface StartOptions {
  /** Where the process runs: definitions and data are looked for there. By default, the project. */
  cwd?: string;
  /** A command, with its arguments, that runs the service's command as its own process. */
  under?: readonly string[];
  /** Each module is loaded by itself, for a test that waits for one. */
  fromSources?: boolean;
  /** The folder of another checkout of the project, whose service it is. */
  checkout?: string | undefined;
}

type Environment = Record<string, string>;

const alive = new Set<ChildProcess>();

// A test that fails leaves its server behind.
afterAll(() => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A server process, from its first line of log to its exit code. */
export class ServerProcess {
  readonly log: LogRecord[] = [];
  /** What it printed on stdout that is no record. */
  readonly noise: string[] = [];
  stderr = '';
  /** Resolves when the process has ended and all its output was read. */
  readonly exited: Promise<Exit>;
  readonly child: ChildProcess;
  private readonly watchers = new Set<() => void>();
  private exit: Exit | undefined;

  constructor(env: Environment, { cwd, under = [], fromSources = false, checkout }: StartOptions) {
    const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
    // Nothing else of this environment: a PORT or TASKS_DIR of the caller is not the test's.
    const entry = checkout === undefined ? (fromSources ? SOURCES : ENTRY) : resolve(checkout, 'src/server.ts');
    const [command = '', ...args] = [...under, process.execPath, entry];
    this.child = spawn(command, args, {
      cwd: cwd ?? fileURLToPath(new URL('../..', import.meta.url)),
      env: {
        PATH,
        HOME,
        NODE_COMPILE_CACHE,
        NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
        PORT: '0',
        STORE_URL: 'memory:',
        // On a busy machine any loop is late, and new items would be refused.
        OVERLOAD_LOOP_DELAY_SECONDS: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    alive.add(this.child);
    let rest = '';
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.take(line);
      this.notify();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        alive.delete(this.child);
        if (rest !== '') this.take(rest);
        this.exit = { code, signal };
        this.notify();
        resolve(this.exit);
      });
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get url(): string {
    return String(this.records('listening')[0]?.url);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  records(message: string): LogRecord[] {
    return this.log.filter(({ msg }) => msg === message);
  }

  /** The first record of this message that fits, when it comes. Rejects with all that was printed when the process ends without it. */
  logged(message: string, fits: (record: LogRecord) => boolean = () => true): Promise<LogRecord> {
    return this.awaited(() => this.records(message).find(fits), message);
  }

  private awaited(find: () => LogRecord | undefined, message: string): Promise<LogRecord> {
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const found = find();
        if (found === undefined && this.exit === undefined) return;
        this.watchers.delete(watch);
        if (found !== undefined) resolve(found);
        else reject(new Error(`it ended with ${JSON.stringify(this.exit)} before it logged "${message}":\n${this.output()}`));
      };
      this.watchers.add(watch);
      watch();
    });
  }

  /** The first record after now whose message begins so. */
  nextRecord(beginning: string): Promise<LogRecord> {
    const known = this.log.length;
    return this.awaited(() => this.log.slice(known).find(({ msg }) => msg.startsWith(beginning)), beginning);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Asserts the end that a stopped service has: code 0, the report as the last line, nothing on stderr, no error on the way. */
  async endedWell(): Promise<LogRecord> {
    expect(await this.exited, this.output()).toEqual({ code: 0, signal: null });
    expect(this.stderr).toBe('');
    expect(this.noise).toEqual([]);
    expect(this.log.filter(({ level }) => level >= 50).map((record) => JSON.stringify(record))).toEqual([]);
    expect(this.records('shutdown report')).toHaveLength(1);
    const last = this.log.at(-1) as LogRecord;
    expect(last.msg).toBe('shutdown report');
    return last;
  }

  async stop(): Promise<LogRecord> {
    this.signal('SIGTERM');
    return this.endedWell();
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
    const response = await fetch(this.url + path, { method, headers, ...json });
    const text = await response.text();
    const isJson = /json$/.test(response.headers.get('content-type')?.split(';')[0] ?? '');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }

  get(path: string): Promise<Answer> {
    return this.call('GET', path);
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.call('POST', path, body);
  }

  /** Opens an event stream. The reader is attached when this resolves: what happens from now on is in it. */
  async events(path: string, headers: Record<string, string> = {}): Promise<StreamClient> {
    const client = await connect(this.port, path, { host: new URL(this.url).hostname, headers });
    await client.until(() => client.retry !== undefined);
    return client;
  }

  private take(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogRecord);
    } catch {
      this.noise.push(line);
    }
  }

  private output(): string {
    return [...this.noise, ...this.log.map((record) => JSON.stringify(record)), this.stderr].join('\n');
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}

/** Starts the service and waits until it is ready. */
export async function startServer(env: Environment = {}, options: StartOptions = {}): Promise<ServerProcess> {
  const server = new ServerProcess(env, options);
  await server.logged('ready');
  return server;
}

/** Starts a service that is not expected to come up, and waits for its end. */
export async function startInVain(env: Environment, options: StartOptions = {}): Promise<Exit & { message: string; log: LogRecord[] }> {
  const server = new ServerProcess(env, options);
  const exit = await server.exited;
  return { ...exit, message: server.stderr, log: server.log };
}
