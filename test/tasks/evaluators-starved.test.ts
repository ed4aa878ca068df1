/** Evaluators on a machine that gives them no processor: here they are stopped. */
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { cpuMsOf } from '../../tasks/kit/cpu-time.ts';
import { createEvaluatorPool } from '../../tasks/kit/evaluators.ts';

const WORK = { kind: 'schema' as const, source: '{"type":"object"}', timeoutMs: 100 };
const isLinux = process.platform === 'linux';

/** The processes of a pool that has answered once, stopped. `looked`: a call has met its time limit. */
async function stoppedPool() {
  const childrenOf = (): number[] =>
    readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  const before = new Set(childrenOf());
  const looked = Promise.withResolvers<void>();
  const pool = createEvaluatorPool({
    size: 2,
    cpuMsOf: (pid) => {
      looked.resolve();
      return cpuMsOf(pid);
    },
  });
  await pool.run({ ...WORK, timeoutMs: 60_000 }, {});
  const own = childrenOf().filter((pid) => !before.has(pid));
  expect(own.length).toBeGreaterThan(0);
  for (const pid of own) process.kill(pid, 'SIGSTOP');
  onTestFinished(() => pool.close());
  return { pool, looked: looked.promise, goOn: () => own.forEach((pid) => void process.kill(pid, 'SIGCONT')) };
}

it.runIf(isLinux)('a call whose process got no processor time within its limit goes on when it gets some', async () => {
  const { pool, looked, goOn } = await stoppedPool();
  const answer = pool.run(WORK, {});
  await looked;
  goOn();
  expect(await answer).toEqual({ faults: [], count: 0 });
});

it.runIf(isLinux)('a call whose process gets none for ten times as long fails, and may be tried again', async () => {
  const { pool } = await stoppedPool();
  await expect(pool.run(WORK, {})).rejects.toMatchObject({
    name: 'EvaluatorUnavailable',
    retryable: true,
    message: 'the evaluator process had less than 0.1 s of processor time within 1 s',
  });
});
