import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type BenchRow, report } from './row.ts';
import { serviceFlags } from './servers/child.ts';
import { Sender } from './servers/sender.ts';

/*
 * Three times as many requests as the service can do, for a minute, from clients that do not care what they are answered: what becomes of the service, of what
 * it accepted, and of those who only look. Its heap has 256 MiB. What it can do is measured before, by callers each of whom waits for the answer.
 *
 * `OVERLOAD_SECONDS=5` is a shorter one.
 */

const SECONDS = Number(process.env.OVERLOAD_SECONDS ?? 60);
const CALIBRATION_SECONDS = Math.min(SECONDS, 15);
const HEAP_MIB = 256;
const CALLERS = 64;
const CONNECTIONS = 2000;
const TIMES = 3;
const ITEMS = 20;

const TASKS = {
  'noop.mjs': "export default { name: 'noop', run: (value) => value };",
  // Holds the event loop for about as long as an expression does.
  'work.mjs': `export default { name: 'work', run: (value) => {
  const end = performance.now() + 0.25;
  while (performance.now() < end);
  return value;
} };`,
};

interface Service {
  port: number;
  rssMib(): number;
  /** Of CPU, used so far. */
  cpuSeconds(): number;
  exited: Promise<number | null>;
  stop(): Promise<void>;
}

async function startService(folder: string): Promise<Service> {
  const child = spawn(
    process.execPath,
    [...serviceFlags(), `--max-old-space-size=${HEAP_MIB}`, fileURLToPath(new URL('../src/server.ts', import.meta.url))],
    {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: '0', STORE_URL: 'memory:', TASKS_DIR: folder, RETENTION_MAX_ITEMS: '1000', ...passed() },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const port = await new Promise<number>((resolve, reject) => {
    let out = '';
    child.once('exit', () => reject(new Error(`the service ended: ${out}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (process.env.OVERLOAD_LOG) process.stderr.write(text);
      out = (out + text).slice(-100_000);
      const found = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(out);
      if (found && out.includes('"ready"')) resolve(Number(found[1]));
    });
  });
  return {
    port,
    rssMib: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    // In ticks of a hundredth of a second, see proc(5).
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    exited,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function passed(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('OVERLOAD_LOOP')) as [string, string][]);
}

const items = Array.from({ length: ITEMS }, (_, i) => ({ sku: `A-${i}`, note: 'x'.repeat(500) }));

async function json<T>(port: number, path: string, body?: object): Promise<T> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    ...(body ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

interface Stats {
  itemsProcessed: number;
  itemsFailed: number;
  itemsInFlight: number;
}

async function overload(task: string): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-overload-'));
  for (const [name, text] of Object.entries(TASKS)) writeFileSync(join(folder, name), text);
  const service = await startService(folder);
  const died = service.exited.then((code) => Promise.reject(new Error(`the service ended with ${code}`)));
  try {
    return await Promise.race([died, play(service, task)]);
  } finally {
    died.catch(() => undefined);
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Items that the pipeline has done in a while of sending, a second of the service's CPU, of which it uses all that it gets: what else the machine does does
 * not count.
 */
async function rateOf({ port, cpuSeconds }: Service, id: string, send: () => Promise<void>): Promise<number> {
  const before = await json<Stats>(port, `/pipelines/${id}/stats`);
  const began = cpuSeconds();
  await send();
  const after = await json<Stats>(port, `/pipelines/${id}/stats`);
  return (after.itemsProcessed - before.itemsProcessed) / (cpuSeconds() - began);
}

async function play(service: Service, task: string): Promise<BenchRow[]> {
  const { port, rssMib } = service;
  const stages = ['A', 'B', 'C'].map((name, i) => ({ name, workers: 4, tasks: [i === 1 ? task : 'noop'] }));
  await json(port, '/pipelines', { id: 'p', stages, collectResults: false, backlogCapacity: 2000 });
  const feed = new Sender(port, '/pipelines/p/feed?wait=5', JSON.stringify({ items }));
  await feed.closed(CALLERS, 3);
  const rate = await rateOf(service, 'p', () => feed.closed(CALLERS, CALIBRATION_SECONDS));
  const capacity = feed.lastRate;

  let peakMib = 0;
  const looks: number[] = [];
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      peakMib = Math.max(peakMib, rssMib());
      const before = performance.now();
      for (const path of ['/livez', '/pipelines/p/stats', '/pipelines/p/items?limit=10']) await json(port, path);
      looks.push((performance.now() - before) / 3);
      await sleep(200);
    }
  })();
  const flood = new Sender(port, '/pipelines/p/feed', JSON.stringify({ items }));
  const under = await rateOf(service, 'p', () => flood.open(CONNECTIONS, capacity * TIMES, SECONDS));
  isOver = true;
  await watching;
  const accepted = (feed.answers.get(202) ?? 0) + (flood.answers.get(202) ?? 0);
  let stats = await json<Stats>(port, '/pipelines/p/stats');
  for (; stats.itemsInFlight > 0; stats = await json<Stats>(port, '/pipelines/p/stats')) await sleep(100);

  const answers = [...flood.answers].sort().map(([status, count]) => `${status}: ${count}`);
  process.stderr.write(
    `${task}: capacity ${capacity.toFixed(0)}/s, sent ${flood.sent} (${(flood.sent / SECONDS).toFixed(0)}/s), ${answers.join(', ')}, broken ${flood.broken}\n`,
  );
  const done = stats.itemsProcessed - accepted * ITEMS;
  const worst = looks.sort((a, b) => a - b)[Math.floor(looks.length * 0.99)] ?? Number.NaN;
  const what = `${TIMES} times the capacity of a stage \`${task}\` for ${SECONDS} s`;
  return [
    {
      claim: `${what}: items done a CPU second, of those at capacity`,
      ...{ bar: '≥ 0.8', figure: (under / rate).toFixed(2), holds: under / rate >= 0.8 },
    },
    {
      claim: `${what}: accepted items that were not finished, or finished without being accepted; broken connections`,
      ...{ bar: '0; 0', figure: `${done}; ${flood.broken}`, holds: done === 0 && flood.broken === 0 && stats.itemsFailed === 0 },
    },
    { claim: `${what}: memory of the process at most`, bar: '< 400 MiB', figure: `${Math.round(peakMib)} MiB`, holds: peakMib < 400 },
    {
      claim: `${what}: health, stats and items answer meanwhile, p99`,
      ...{ bar: '< 1000 ms', figure: `${Math.round(worst)} ms`, holds: worst < 1000 },
    },
  ];
}

report([...(await overload('work')), ...(await overload('noop'))]);
process.exit(0);
