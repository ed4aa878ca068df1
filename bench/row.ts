/** One measured claim: what was promised, what came out. */
export interface BenchRow {
  claim: string;
  /** What the figure has to be, in words. */
  bar: string;
  figure: string;
  holds: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Hands the rows to bench/index.ts, which has started this file as a process of its own. */
export function report(rows: readonly BenchRow[]): void {
  process.stdout.write(`\n${JSON.stringify(rows)}\n`);
}

/** Milliseconds of CPU this process has used; less disturbed by other processes than the time on the wall. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
