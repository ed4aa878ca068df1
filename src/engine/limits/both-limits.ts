import type { Claim, Gate, Passed, Release, SharedGate, SharedPass, SharedWait } from './gate.ts';

/**
 * Waits for both limits, first the one that may be occupied while the other is waited for: a place among the stage's own executions
 * costs nobody else anything. Only a rate of the stage is waited for last, because its window counts from when it lets go; the shared
 * one is told when the execution begins.
 *
 * `onWait` is told of the wait for the shared limiter, to show what it waits for. Rejects with the signal's reason when that aborts.
 */
export async function passBoth(
  own: Gate | undefined,
  shared: SharedGate,
  claim: Claim,
  signal: AbortSignal,
  onWait: (wait: SharedWait | null) => void,
): Promise<Passed> {
  if (own?.current.rate !== undefined) {
    const pass = await takeShared(false);
    const { release } = await own.acquire(claim, signal).catch((error: unknown) => {
      pass.release();
      throw error;
    });
    pass.begin();
    return both(release, pass);
  }
  const release = (await own?.acquire(claim, signal))?.release;
  const pass = await takeShared(true).catch((error: unknown) => {
    release?.();
    throw error;
  });
  return both(release, pass);

  async function takeShared(isLast: boolean): Promise<SharedPass> {
    const wait = shared.claim(claim, signal, isLast);
    onWait(wait);
    const pass = await wait.pass;
    onWait(null);
    return pass;
  }
}

function both(release: Release | undefined, pass: SharedPass): Passed {
  return {
    release() {
      pass.release();
      release?.();
    },
    hold: (seconds) => pass.hold(seconds),
  };
}
