/** fast-check draws the same examples in every run; what it finds it tells with seed and path. A failure of any other test names the seed, too. */
import fc from 'fast-check';
import { afterEach } from 'vitest';
import { SEED } from '../seed.ts';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });

afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`SEED=${SEED} was the seed of: ${task.name}\n`);
});
