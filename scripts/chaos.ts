/**
 * `npm run chaos`: one machine that dies in many ways and loses its power; `npm run chaos -- cluster`: a cluster of three nodes that is disturbed. The variables that
 * make it longer or shorter are in the tests that it runs.
 */
import { spawnSync } from 'node:child_process';

const { ROUNDS = '20', CUTS = '200', NEMESES = '200', AWAY_SECONDS = '30' } = process.env;
const isCluster = process.argv[2] === 'cluster';
const files = isCluster ? ['test/faults/cluster/cluster.test.ts'] : ['test/faults/kill.test.ts', 'test/faults/power-cut.test.ts'];
const report = `test-results/${isCluster ? 'cluster-chaos' : 'chaos'}.json`;
const { status } = spawnSync('vitest', ['run', ...files], {
  stdio: 'inherit',
  env: { ...process.env, ROUNDS, CUTS, NEMESES, AWAY_SECONDS, TEST_REPORT: process.env.TEST_REPORT ?? report },
});
process.exitCode = status ?? 1;
