/**
 * Runs the tests again and again on a busy machine, and names every test that ever failed.
 *
 *     npm run test:stress                                     ten runs of all
 *     npm run test:stress -- 3                                three
 *     npm run test:stress -- 20 test/engine/retry.test.ts     twenty runs of one file; what follows the number goes to vitest
 *
 * Beside them spin as many loops as there are cores, and at least two. They are threads of this process, so they end with it, however it ends.
 * The exit code is 1 when anything failed, 64 when the number is none.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { failuresOf, readReport, summarize, toText } from './test-reports.ts';

const RUNS = 10;
const EXIT_USAGE = 64;
const REPORT = 'test-results/stress.json';
const ERROR_LINES = 4;

interface Failed {
  times: number;
  firstError: string;
}

const [given = String(RUNS), ...filters] = process.argv.slice(2);
const runs = Number(given);
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`${given} is not a number of runs. npm run test:stress -- 3 makes three.`);
  process.exit(EXIT_USAGE);
}

/** One run of vitest, whose output goes to a file; its exit code. */
function runTests(log: string): Promise<number> {
  rmSync(REPORT, { force: true });
  const output = openSync(log, 'w');
  const child = spawn('node_modules/.bin/vitest', ['run', ...filters], {
    stdio: ['ignore', output, output],
    env: { ...process.env, TEST_REPORT: REPORT },
  });
  closeSync(output);
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal);
    process.exit(1);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      for (const signal of signals) process.off(signal, pass);
      resolve(code ?? 1);
    });
  });
}

const failed = new Map<string, Failed>();
function note(title: string, error: string): void {
  const before = failed.get(title);
  if (before === undefined) failed.set(title, { times: 1, firstError: error });
  else before.times++;
}

mkdirSync('test-results', { recursive: true });
const loops = Array.from({ length: Math.max(2, availableParallelism()) }, () => new Worker('for (;;);', { eval: true }));
console.log(`${runs} runs beside ${loops.length} busy loops`);
for (let run = 1; run <= runs; run++) {
  const began = performance.now();
  const log = `test-results/stress-${run}.log`;
  const code = await runTests(log);
  const seconds = Math.round((performance.now() - began) / 1000);
  const report = readReport(REPORT);
  const failures = report === undefined ? [] : failuresOf(report, process.cwd());
  for (const { title, error } of failures) note(title, error);
  if (failures.length === 0 && (code !== 0 || report?.success !== true)) {
    note('outside the tests', `vitest ended with ${code}${report === undefined ? ' and without a report' : ''}`);
  }
  console.log(`run ${run}: ${toText(summarize(report))} in ${seconds} s, exit code ${code} (${log})`);
}
for (const loop of loops) await loop.terminate();

for (const [title, { times, firstError }] of failed) {
  const lines = firstError.split('\n').slice(0, ERROR_LINES);
  console.log(`\nfailed in ${times} of ${runs}: ${title}\n${lines.map((line) => `    ${line}`).join('\n')}`);
}
console.log(failed.size === 0 ? `\n${runs} of ${runs} runs are green.` : `\n${failed.size} failed at least once.`);
if (failed.size > 0) process.exitCode = 1;
