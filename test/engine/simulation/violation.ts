/** Says that an invariant does not hold. The first one of a run counts. */
export type Report = (invariant: number, what: string) => void;

const NAMES: Record<number, string> = {
  1: 'nothing accepted is lost',
  3: 'order',
  4: 'never more than asked',
  5: 'bounded',
  6: 'retries',
  7: 'callbacks cannot hurt',
  8: 'join returns when and only when nothing is in flight',
  9: 'counters agree',
  10: 'one sequence of events',
  11: 'no polling, no leaks',
};

/** A run that broke an invariant; its message tells how to see it again. */
export class Violation extends Error {
  override name = 'Violation';
  readonly seed: number;
  readonly invariant: number;

  constructor(seed: number, step: number, move: string, invariant: number, what: string) {
    super(
      `invariant ${invariant} (${NAMES[invariant]}) is broken in seed ${seed} at step ${step} (${move}): ${what}\n` +
        `  replay it alone: SIM_SEED=${seed} npx vitest run test/engine/simulation.test.ts`,
    );
    this.seed = seed;
    this.invariant = invariant;
  }
}
