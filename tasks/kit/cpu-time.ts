import { readFileSync } from 'node:fs';

/** A tick of the times in /proc, the same on all Linux that Node runs on. */
const TICK_MS = 10;
/** Where the times in user mode and in the kernel are, counted from the field behind the name. */
const [USER, SYSTEM] = [11, 12];

/** The processor time that another process has used, in milliseconds; null where that cannot be told: on systems without /proc, and of a process that is gone. */
export function cpuMsOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may have spaces and parentheses of its own.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ms = (Number(fields[USER]) + Number(fields[SYSTEM])) * TICK_MS;
    return Number.isFinite(ms) ? ms : null;
  } catch {
    return null;
  }
}
