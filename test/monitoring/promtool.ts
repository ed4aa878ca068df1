import { spawnSync } from 'node:child_process';

/** The program of Prometheus that checks metrics, rules and queries. */
const PROMTOOL = process.env.PROMTOOL ?? 'promtool';

const isThere = spawnSync(PROMTOOL, ['--version']).status === 0;
if (!isThere) process.stderr.write('SKIPPED: promtool checks the metrics and the alert rules; PROMTOOL says where it is\n');

/** Whether tests that need it are left out. In CI they fail. */
export const skipsPromtool = !isThere && process.env.CI !== 'true';

export interface Checked {
  status: number | null;
  told: string;
}

export function promtool(args: readonly string[], input = ''): Checked {
  const { status, stdout, stderr, error } = spawnSync(PROMTOOL, args, { input, encoding: 'utf8' });
  if (error) throw error;
  return { status, told: `${stdout}${stderr}` };
}
