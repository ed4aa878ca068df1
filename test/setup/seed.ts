/** fast-check draws the same examples in every run; what it finds it tells with seed and path. */
import fc from 'fast-check';
import { SEED } from '../seed.ts';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });
