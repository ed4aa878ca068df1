/**
 * Test files that `.ci/run` plays after the suite, with many more seeds, cuts and rounds. With `LEAVE_OUT_PLAYED_LATER=1` the suite leaves them out, so that they
 * are not played twice in one run; `npm test` and `npm run check` play them. `scripts/played-later-check.ts` fails a run that left one out and never came to it.
 */
export const PLAYED_LATER: readonly string[] = [
  'test/cluster/crash-simulation.test.ts',
  'test/cluster/ownership-simulation.test.ts',
  'test/e2e/fuzz.test.ts',
  'test/faults/cluster/cluster.test.ts',
  'test/faults/kill.test.ts',
  'test/faults/power-cut.test.ts',
  'test/http/fuzz.test.ts',
  'test/http/network-fuzz.test.ts',
  'test/stores/crash-simulation.test.ts',
  'test/stores/redeployment.test.ts',
];
