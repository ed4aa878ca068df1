import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const server = fileURLToPath(new URL('../src/server.ts', import.meta.url));

interface LogRecord {
  msg: string;
  url?: string;
  [field: string]: unknown;
}

/** The service as a process, with what it prints. */
class Process {
  readonly records: LogRecord[] = [];
  stderr = '';
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;

  constructor(env: Record<string, string>) {
    this.child = spawn(process.execPath, [server], {
      env: { PATH: process.env.PATH, PORT: '0', STORE_URL: 'memory:', ...env },
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = once(this.child, 'close').then(([code]) => code);
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.records.push(JSON.parse(line));
      this.child.emit('record');
    });
  }

  async record(msg: string): Promise<LogRecord> {
    for (;;) {
      const found = this.records.find((record) => record.msg === msg);
      if (found) return found;
      await once(this.child, 'record');
    }
  }

  async url(): Promise<string> {
    return String((await this.record('listening')).url);
  }
}

let folder: string;
const processes: Process[] = [];
const start = (env: Record<string, string> = {}): Process => {
  const started = new Process(env);
  processes.push(started);
  return started;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-server-'));
  // Runs until it is aborted.
  await writeFile(
    join(folder, 'stuck.mjs'),
    `export default { run: (_value, ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))) };`,
  );
});
afterEach(async () => {
  for (const { child, exited } of processes.splice(0)) {
    child.kill('SIGKILL');
    await exited;
  }
});
afterAll(() => rm(folder, { recursive: true }));

const post = (url: string, body: object): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

async function startStuck(): Promise<{ service: Process; url: string }> {
  const service = start({ TASKS_DIR: folder });
  const url = await service.url();
  await post(`${url}/pipelines`, { id: 'p', stages: [{ name: 'Only', tasks: ['stuck'] }] });
  await post(`${url}/pipelines/p/feed`, { items: [{ id: 'running' }, { id: 'waiting' }] });
  return { service, url };
}

describe('the process', () => {
  it('says where it listens, and ends on SIGTERM with code 0 and a report', async () => {
    const service = start();
    const url = await service.url();
    expect(url).toMatch(/^http:\/\/127[.]0[.]0[.]1:\d+$/);
    await service.record('ready');
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
    expect(service.records.at(-1)).toMatchObject({ msg: 'shutdown report', finished: 0, leftQueued: 0, aborted: 0 });
    expect(service.stderr).toBe('');
  });

  it('answers to the names of loopback and of ALLOWED_HOSTS', async () => {
    const url = await start({ ALLOWED_HOSTS: 'sluice.example' }).url();
    const statusFor = async (host: string): Promise<number | undefined> => {
      const [response] = await once(get(`${url}/pipelines`, { headers: { host }, agent: false }), 'response');
      response.resume();
      return response.statusCode;
    };
    expect(await Promise.all(['localhost', 'sluice.example:80', 'evil.example'].map(statusFor))).toEqual([200, 200, 421]);
  });

  it('stays alive but not ready while it waits for running items, and a second signal forces it', async () => {
    const { service, url } = await startStuck();
    service.child.kill('SIGINT');
    await service.record('shutting down');
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const refused = await post(`${url}/pipelines/p/feed`, { items: [1] });
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true]);
    // One that follows at once is taken for the echo of the first, as npm and a terminal both send it.
    while (!service.records.some((record) => record.mode === 'force')) {
      service.child.kill('SIGINT');
      await fetch(`${url}/livez`).catch(() => undefined);
    }
    expect(await service.exited).toBe(0);
    expect(service.records.at(-1)).toMatchObject({
      msg: 'shutdown report',
      mode: 'force',
      leftQueued: 2,
      aborted: 1,
      notKeptIds: ['running', 'waiting'],
    });
  });

  it('ends on POST /shutdown after the reply, with event streams told', async () => {
    const { service, url } = await startStuck();
    const stream = await fetch(`${url}/pipelines/p/events`);
    const response = await post(`${url}/shutdown`, { mode: 'force' });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ mode: 'force', itemsInFlight: 2 });
    expect(await stream.text()).toContain('event: bye');
    expect(await service.exited).toBe(0);
    expect(service.records.at(-1)).toMatchObject({ msg: 'shutdown report', aborted: 1 });
  });

  it('forces the end when the time is up', async () => {
    const { service, url } = await startStuck();
    await post(`${url}/shutdown`, { mode: 'drain', timeoutSeconds: 0.05 });
    expect(await service.exited).toBe(0);
    expect(service.records.at(-1)).toMatchObject({ mode: 'force', timedOut: true });
  });

  it('answers what is in flight before it ends', async () => {
    const { service, url } = await startStuck();
    const joining = fetch(`${url}/pipelines/p/join`, { method: 'POST' });
    const stats = fetch(`${url}/pipelines/p/stats`);
    expect((await stats).status).toBe(200);
    await post(`${url}/shutdown`, { mode: 'force' });
    expect((await joining).headers.get('content-type')).toMatch(/json/);
    expect(await service.exited).toBe(0);
  });
});

describe('a wrong start', () => {
  it('lists every fault of the configuration and exits with 78', async () => {
    const service = start({ PORT: 'x', LOG_LEVEL: 'loud' });
    expect(await service.exited).toBe(78);
    expect(service.stderr).toMatch(/PORT[\s\S]*LOG_LEVEL/);
    expect(service.records).toEqual([]);
  });

  it('says in one line that the port is in use, and exits with 78', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const service = start({ PORT: String(port) });
    expect(await service.exited).toBe(78);
    expect(service.stderr.trim().split('\n')).toEqual([expect.stringMatching(`127[.]0[.]0[.]1:${port}: the port is in use`)]);
    other.close();
  });

  it('names the file and line of a definition that cannot be used, and exits with 78', async () => {
    const file = join(folder, 'bad.yaml');
    await writeFile(file, 'id: p\nstages:\n  - name: A\n    tasks: [nope]\n');
    const service = start({ PIPELINES: file });
    expect(await service.exited).toBe(78);
    expect(service.stderr).toMatch(/bad[.]yaml:4: .*nope/);
  });
});
