/** One scenario at the edge of a store's memory, in a process with a small heap; prints what it cost as JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createLocalHost, createTaskRegistry, type EventFilter, type LocalHost, type TaskHandler } from '../src/engine/index.ts';
import { systemPorts } from '../src/engine/ports.ts';
import { openSqliteStore } from '../src/stores/sqlite/index.ts';

export interface EdgeFigures {
  loopP99Ms: number;
  loopMaxMs: number;
  /** From the end of an item to when its end is stored. */
  durableP50Ms: number | null;
  durableP99Ms: number | null;
  items: number;
  peakRssMib: number;
  seconds: number;
}

const [scenario = '', count = '0', pipelines = '1'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'sluice-edges-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const large = 'x'.repeat(300_000);
const tasks: Record<string, TaskHandler> = {
  small: (value) => value,
  // No two are the same text, or one would stand for all of them.
  large: (value) => `${String(value)} ${large}`,
  once: (value, { attempt }) => {
    if (attempt === 1) throw new Error('not yet');
    return value;
  },
};

async function begin(backlogCapacity = 2_000_000): Promise<LocalHost> {
  const store = await openSqliteStore({ file: join(folder, 'sluice.db') });
  const registry = createTaskRegistry(
    Object.entries(tasks).map(([name, run]) => ({
      ...{ kind: 'task' as const, name, description: name, paramsSchema: null, parseParams: (given: unknown) => given },
      run,
    })),
  );
  return createLocalHost({
    ...{ registry, store, ports: systemPorts, maxStages: 64, maxWorkersPerStage: 1000, retentionMaxItems: 100_000 },
    ...{ retentionMaxAgeSeconds: 604_800, backlogCapacity, eventsKept: 16_384, hookTimeoutSeconds: 30 },
  });
}

const delay = monitorEventLoopDelay({ resolution: 5 });
const durable: number[] = [];

/** Notes for each end how long it took until readers are shown it, which is when it is stored. */
function watch(host: LocalHost, id: string): () => void {
  const { events } = host.get(id);
  const filter: EventFilter = { types: new Set(['status']), status: new Set(['completed']) };
  let cursor = events.newest;
  return events.subscribe(() => {
    const now = Date.now();
    while (cursor < events.newest) {
      const read = events.read(cursor, 4096, filter);
      cursor = read.cursor;
      for (const { data } of read.events as { data: { final: boolean; timestamp: string } }[]) {
        if (data.final) durable.push(now - Date.parse(data.timestamp));
      }
    }
  });
}

/** Feeds so many items, or until `seconds` are over. */
async function fill(host: LocalHost, id: string, total: number, value: (i: number) => unknown, seconds = 0): Promise<void> {
  const writer = await host.get(id).openFeed({});
  const end = performance.now() + seconds * 1000;
  for (let i = 0; i < total && (seconds === 0 || performance.now() < end); i += 500)
    await writer.push(Array.from({ length: Math.min(500, total - i) }, (_, k) => value(i + k)));
  await writer.end();
}

const kilobyte = 'k'.repeat(1000);
const scenarios: Record<string, () => Promise<number>> = {
  /** Results of 300 kB from 64 workers, or small ones, over some pipelines: so many, or for some seconds. */
  async results() {
    const seconds = Number(process.argv[6] ?? 0);
    const total = seconds > 0 ? Number.MAX_SAFE_INTEGER : Number(count);
    // Fed for a time, they must not wait in number: what is queued then has to be run, too.
    const host = await begin(seconds > 0 ? (process.argv[5] === 'small' ? 500 : 64) : undefined);
    const ids = Array.from({ length: Number(pipelines) }, (_, i) => `p${i}`);
    const leave: (() => void)[] = [];
    const task = process.argv[5] === 'small' ? 'small' : 'large';
    for (const id of ids) {
      await host.create({ id, retention: { maxItems: 1000 }, stages: [{ name: 'A', tasks: [task], workers: 64 }] });
      leave.push(watch(host, id));
    }
    delay.enable();
    await Promise.all(ids.map((id) => fill(host, id, total / ids.length, (i) => i, seconds)));
    for (const id of ids) await host.get(id).join();
    delay.disable();
    for (const each of leave) each();
    const done = await Promise.all(ids.map(async (id) => (await host.get(id).stats()).itemsProcessed));
    await host.shutdown('graceful', 30);
    await host.close();
    return done.reduce((sum, one) => sum + one, 0);
  },
  /** Items that have failed once and wait, a start after that, and how they come back. */
  async parked() {
    const host = await begin();
    const waits = { taskWaitSeconds: Number(process.argv[5]), taskAttempts: 2 };
    await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['once'], workers: 64, ...waits }] });
    delay.enable();
    await fill(host, 'p', Number(count), (i) => ({ i, kilobyte }));
    for (;;) {
      const { statusCounts } = await host.get('p').stats();
      if (statusCounts.retrying === Number(count)) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await host.shutdown('graceful', 30);
    await host.close();
    const again = await begin();
    await again.recover();
    again.goOn();
    const { statusCounts } = await again.get('p').stats();
    if (statusCounts.retrying !== Number(count)) throw new Error(`${statusCounts.retrying} wait after the start`);
    await again.get('p').join();
    delay.disable();
    await again.shutdown('graceful', 30);
    await again.close();
    return Number(count);
  },
  /** A stage with a backlog is removed, or changes places with the next one. */
  async redefined() {
    const host = await begin();
    const stage = (name: string) => ({ name, tasks: ['small'], workers: 8 });
    await host.create({ id: 'p', stages: [stage('A'), stage('B')] }, { start: false });
    delay.enable();
    await fill(host, 'p', Number(count), (i) => ({ i, kilobyte }));
    await host.put('p', { stages: process.argv[5] === 'moved' ? [stage('B'), stage('A')] : [stage('B')] });
    await host.get('p').start();
    await host.get('p').join();
    delay.disable();
    await host.shutdown('graceful', 30);
    await host.close();
    return Number(count);
  },
};

const at = (sorted: number[], share: number): number | null =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
const began = performance.now();
const items = await (scenarios[scenario] as () => Promise<number>)();
const sorted = durable.toSorted((a, b) => a - b);
const figures: EdgeFigures = {
  loopP99Ms: Math.round(delay.percentile(99) / 1e6),
  loopMaxMs: Math.round(delay.max / 1e6),
  durableP50Ms: at(sorted, 0.5),
  durableP99Ms: at(sorted, 0.99),
  items,
  peakRssMib: Math.round(process.resourceUsage().maxRSS / 1024),
  seconds: Math.round((performance.now() - began) / 1000),
};
console.log(JSON.stringify(figures));
process.exit(0);
