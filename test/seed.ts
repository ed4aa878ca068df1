const DEFAULT_SEED = 20_261_126;

/** The seed of everything in the tests that draws numbers: the same in every run, another one with `SEED=7`. */
export const SEED = Number(process.env.SEED ?? DEFAULT_SEED);
if (!Number.isSafeInteger(SEED)) throw new Error(`SEED must be a whole number, not ${process.env.SEED}`);
