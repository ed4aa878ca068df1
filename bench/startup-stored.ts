import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type BenchRow, median } from './row.ts';
import { serviceFlags } from './servers/child.ts';
import { readyAfter } from './startup-ready.ts';

const ROUNDS = 3;
const LEAST_HEAP_MIB = 256;
const root = fileURLToPath(new URL('..', import.meta.url));

interface Start {
  child: ChildProcess;
  url: string;
  readyMs: number;
}

async function start(folder: string, port: number): Promise<Start> {
  const before = performance.now();
  const child = spawn(process.execPath, [...serviceFlags(), `--max-old-space-size=${LEAST_HEAP_MIB}`, join(root, 'dist/src/server.js')], {
    cwd: folder,
    env: {
      ...process.env,
      PORT: String(port),
      STORE_URL: `file:${join(folder, 'sluice.db')}`,
      BACKLOG_CAPACITY: '100000000',
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const readyMs = (await readyAfter(child, port)) - before;
  return { child, url: `http://127.0.0.1:${port}`, readyMs };
}

async function stop({ child }: Start): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** The most memory that a process has had, in MiB. */
function peakMib({ child }: Start): number {
  if (process.platform !== 'linux') return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) / 1024;
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Milliseconds of processor time that a process has used; NaN where that cannot be told. */
function cpuMs({ child }: Start): number {
  if (process.platform !== 'linux') return Number.NaN;
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function post(url: string, body?: string | Readable): Promise<void> {
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: body ?? '{}' };
  const lines = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, duplex: 'half' };
  const answer = await fetch(url, (body instanceof Readable ? { ...lines, body: Readable.toWeb(body) } : json) as unknown as RequestInit);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  await answer.text();
}

function* lines(count: number): Generator<Buffer> {
  for (let n = 0; n < count; ) {
    let chunk = '';
    for (const end = Math.min(count, n + 1000); n < end; n++)
      chunk += `{"n":${n},"text":"of an item with about a hundred characters, as many have them in a queue"}\n`;
    yield Buffer.from(chunk);
  }
}

const kinds = {
  queued: { schema: true, isPaused: true },
  finished: { schema: true, isPaused: false },
  failed: { schema: false, isPaused: false },
};

/** A store in which so many items are in this state; `null`: none. */
async function fill(folder: string, kind: keyof typeof kinds | null, count: number, port: number): Promise<void> {
  const service = await start(folder, port);
  const { schema, isPaused } = kinds[kind ?? 'queued'];
  const stages = [{ name: 'A', workers: 16, tasks: [{ task: 'json_schema', with: { schema } }] }];
  await post(`${service.url}/pipelines`, JSON.stringify({ id: 'p', stages }));
  if (isPaused) await post(`${service.url}/pipelines/p/pause`);
  if (kind !== null) await post(`${service.url}/pipelines/p/feed`, Readable.from(lines(count)));
  for (;;) {
    const { itemsInFlight } = (await (await fetch(`${service.url}/pipelines/p/stats`)).json()) as { itemsInFlight: number };
    if (isPaused || itemsInFlight === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await stop(service);
}

/** How much longer a start takes over a store with so many queued, finished and failed items than over one with none, and its memory. */
export async function storedRows(count: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  let port = 3500;
  let emptyMs = 0;
  let emptyCpu = 0;
  for (const kind of [null, ...(Object.keys(kinds) as (keyof typeof kinds)[])]) {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
    try {
      await fill(folder, kind, count, port++);
      const times: number[] = [];
      const cpu: number[] = [];
      let peak = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const service = await start(folder, port++);
        times.push(service.readyMs);
        cpu.push(cpuMs(service));
        peak = Math.max(peak, peakMib(service));
        await stop(service);
      }
      const ms = median(times);
      const ofCpu = median(cpu);
      if (kind === null) {
        emptyMs = ms;
        emptyCpu = ofCpu;
      }
      const figure = `${((ms - emptyMs) / 1000).toFixed(2)} s more than the ${(emptyMs / 1000).toFixed(2)} s of an empty one, ${(ofCpu / emptyCpu).toFixed(2)} of its processor time, ${peak.toFixed(0)} MiB at most`;
      rows.push({
        claim: `a start over a store with ${kind === null ? 'no' : `${count} ${kind}`} items`,
        bar: '< 10 s more',
        figure,
        holds: ms - emptyMs < 10_000,
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return rows;
}
