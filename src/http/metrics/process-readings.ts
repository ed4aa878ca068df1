import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Exposition } from './exposition.ts';

const { eventLoopUtilization } = performance;
const startedAt = performance.timeOrigin / 1000;
const MICROSECONDS = 1e6;

/** Writes what the process uses of the machine, as of now. */
export async function addProcess(to: Exposition): Promise<void> {
  const openFiles = await countOpenFiles();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const { active, idle } = eventLoopUtilization();
  to.add('sluice_event_loop_active_seconds_total', [], active / 1000);
  to.add('sluice_event_loop_idle_seconds_total', [], idle / 1000);
  to.add('sluice_process_cpu_seconds_total', ['user'], user / MICROSECONDS);
  to.add('sluice_process_cpu_seconds_total', ['system'], system / MICROSECONDS);
  to.add('sluice_process_start_time_seconds', [], startedAt);
  to.add('sluice_process_resident_memory_bytes', [], rss);
  to.add('sluice_process_heap_used_bytes', [], heapUsed);
  to.add('sluice_process_heap_size_bytes', [], heapTotal);
  to.add('sluice_process_heap_limit_bytes', [], getHeapStatistics().heap_size_limit);
  to.add('sluice_process_external_memory_bytes', [], external);
  if (openFiles !== null) to.add('sluice_process_open_fds', [], openFiles);
  if (maxFiles !== null) to.add('sluice_process_max_fds', [], maxFiles);
}

/** null where the system does not list them. */
async function countOpenFiles(): Promise<number | null> {
  try {
    // The one with which the folder is read is among them.
    return (await readdir('/proc/self/fd')).length - 1;
  } catch {
    return null;
  }
}

const maxFiles = readMaxFiles();

function readMaxFiles(): number | null {
  try {
    const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? null : soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return null;
  }
}
