import type { StageDefinition } from '../../schemas/definition.ts';

export type RetryPolicy = Pick<StageDefinition, 'taskWaitSeconds' | 'backoff' | 'maxWaitSeconds' | 'jitter'>;

/**
 * Milliseconds to wait before the next attempt, `attemptsMade` (1 or more) having failed: `taskWaitSeconds`, or doubled
 * for each further failure up to `maxWaitSeconds`; then times a factor drawn evenly from 1 ± jitter.
 */
export function retryWaitMs(policy: RetryPolicy, attemptsMade: number, random: () => number): number {
  const base =
    policy.backoff === 'exponential'
      ? Math.min(policy.taskWaitSeconds * 2 ** Math.min(attemptsMade - 1, 60), policy.maxWaitSeconds)
      : policy.taskWaitSeconds;
  const factor = policy.jitter === 0 ? 1 : 1 + policy.jitter * (2 * random() - 1);
  return base * factor * 1000;
}
