import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { audit } from '../src/stores/sqlite/audit.ts';
import { compact } from '../src/stores/sqlite/compact.ts';
import { type BenchRow, report } from './row.ts';
import { serviceFlags } from './servers/child.ts';
import { readyAfter } from './startup-ready.ts';

/*
 * What docs/operations.md says of sizes: what an item takes of the disk, by the size of its value and by its state; what events take; what retention
 * does to the file, and compaction after it; and the memory of the service, idle and with items that wait. All of the compiled service.
 */

const ITEMS = Number(process.env.ITEMS ?? 50_000);
const SIZES = [100, 1000, 10_000];
const MIB = 1024 * 1024;
const root = fileURLToPath(new URL('..', import.meta.url));
let port = 3600;

interface Service {
  child: ChildProcess;
  url: string;
}

async function start(folder: string, env: Record<string, string>): Promise<Service> {
  const at = port++;
  const child = spawn(process.execPath, [...serviceFlags(), join(root, 'dist/src/server.js')], {
    cwd: folder,
    env: { PATH: process.env.PATH, PORT: String(at), LOG_LEVEL: 'warn', BACKLOG_CAPACITY: '100000000', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await readyAfter(child, at);
  return { child, url: `http://127.0.0.1:${at}` };
}

async function stop({ child }: Service): Promise<void> {
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** MiB of memory that a process has now, or has had at most. */
function memoryMib({ child }: Service, which: 'VmRSS' | 'VmHWM'): number {
  if (process.platform !== 'linux') return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) / 1024;
  return Number(new RegExp(`^${which}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
}

async function post(url: string, body: string | Readable = '{}'): Promise<void> {
  const isLines = typeof body !== 'string';
  const init = {
    method: 'POST',
    headers: { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' },
    body: isLines ? Readable.toWeb(body) : body,
    duplex: 'half',
  };
  const answer = await fetch(url, init as unknown as RequestInit);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  await answer.text();
}

/** Objects whose JSON has that many bytes each. */
function* lines(count: number, size: number): Generator<Buffer> {
  for (let n = 0; n < count; ) {
    let chunk = '';
    for (const end = Math.min(count, n + 500); n < end; n++) {
      const begin = `{"n":${n},"text":"`;
      chunk += `${begin}${'x'.repeat(size - begin.length - 2)}"}\n`;
    }
    yield Buffer.from(chunk);
  }
}

interface Fill {
  count: number;
  size: number;
  /** `changed`: completed with a result that is not what was fed. */
  state: 'queued' | 'completed' | 'changed' | 'failed';
  retention?: { maxItems: number };
  env?: Record<string, string>;
}

/** Runs `look` on a service that has these items, and returns what the file then is once it has stopped. */
async function filled<T>({ count, size, state, retention, env = {} }: Fill, look: (service: Service, file: string) => T) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sizing-'));
  try {
    const file = join(folder, 'sluice.db');
    const service = await start(folder, { STORE_URL: `file:${file}`, EVENTS_KEPT: '1', ...env });
    const task =
      state === 'changed' ? { task: 'hash', with: { field: 'hash' } } : { task: 'json_schema', with: { schema: state !== 'failed' } };
    const stages = [{ name: 'A', workers: 16, tasks: [task] }];
    await post(`${service.url}/pipelines`, JSON.stringify({ id: 'p', stages, ...(retention === undefined ? {} : { retention }) }));
    if (state === 'queued') await post(`${service.url}/pipelines/p/pause`);
    if (count > 0) await post(`${service.url}/pipelines/p/feed?feedId=all`, Readable.from(lines(count, size)));
    if (count > 0 && state !== 'queued') await post(`${service.url}/pipelines/p/feeds/all/wait?timeoutSeconds=600`);
    const seen = look(service, file);
    await stop(service);
    const before = audit(file);
    return { seen, bytes: statSync(file).size, freeBytes: before.freeBytes, compacted: compact(file).after };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const rows: BenchRow[] = [];
const empty = await filled({ count: 0, size: 0, state: 'queued' }, (service) => memoryMib(service, 'VmRSS'));
rows.push({
  claim: 'the service with one pipeline and no items: memory, and its file',
  bar: '< 200 MiB',
  figure: `${empty.seen.toFixed(0)} MiB, ${(empty.bytes / 1024).toFixed(0)} KiB`,
  holds: empty.seen < 200,
});
for (const size of SIZES) {
  const count = Math.max(2000, Math.round(ITEMS / Math.max(1, size / 1000)));
  for (const state of ['queued', 'completed', 'changed', 'failed'] as const) {
    const { bytes, seen } = await filled({ count, size, state }, (service) => memoryMib(service, 'VmHWM'));
    const each = (bytes - empty.bytes) / count;
    // What was fed goes when there is a result; a row and its places in the indexes come to a few hundred bytes, and pages are not quite full.
    const most = size * 1.45 + 300;
    rows.push({
      claim: `${state === 'changed' ? 'completed items with another result, fed with' : `${state} items of`} ${size} bytes each: bytes of the file for each, and the most memory for ${count} of them`,
      bar: `≤ ${most.toFixed(0)}`,
      figure: `${each.toFixed(0)}, ${seen.toFixed(0)} MiB`,
      holds: each <= most,
    });
  }
}

const EVENTS = 3 * ITEMS;
const withEvents = await filled({ count: ITEMS, size: 100, state: 'completed', env: { EVENTS_KEPT: '100000000' } }, () => 0);
const without = await filled({ count: ITEMS, size: 100, state: 'completed' }, () => 0);
const eventBytes = (withEvents.bytes - without.bytes) / EVENTS;
rows.push({ claim: 'bytes of the file for each event kept', bar: '≤ 60', figure: eventBytes.toFixed(1), holds: eventBytes <= 60 });

const kept = Math.round(ITEMS / 5);
const once1 = await filled({ count: kept, size: 1000, state: 'completed' }, () => 0);
const often = await filled(
  { count: ITEMS, size: 1000, state: 'completed', retention: { maxItems: kept } },
  (_service, file) => statSync(`${file}-wal`).size,
);
rows.push({
  claim: `a file through which ${ITEMS} items of 1 000 bytes went and which keeps ${kept}: of one that only ever had those`,
  bar: '≤ 1.6',
  figure: `${(often.bytes / once1.bytes).toFixed(2)}, of it ${((100 * often.freeBytes) / often.bytes).toFixed(0)} % free; its log ${(often.seen / MIB).toFixed(0)} MiB`,
  holds: often.bytes / once1.bytes <= 1.6,
});
rows.push({
  claim: 'the same file after store -- compact',
  bar: '≤ 1.1',
  figure: (often.compacted / once1.bytes).toFixed(2),
  holds: often.compacted / once1.bytes <= 1.1,
});
report(rows);
