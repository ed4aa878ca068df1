/** The seed of everything in the tests that draws numbers and has no variable of its own: the same in every run, another one with `SEED=7`. */
export const SEED = Number(process.env.SEED ?? 20_261_126);
