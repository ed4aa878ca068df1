import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryWaitMs } from '../../src/engine/stage/retry.ts';
import { seededRandom } from './virtual-clock.ts';

const seconds = fc.integer({ min: 0, max: 31_536_000_000 }).map((ms) => ms / 1000);
const policies = fc.record({
  taskWaitSeconds: seconds,
  maxWaitSeconds: seconds,
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  backoff: fc.constantFrom('fixed' as const, 'exponential' as const),
});
const attempt = fc.integer({ min: 1, max: 1000 });
const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const random = seededRandom(1);

describe('the wait before a retry', () => {
  it('is within 1 ± jitter of its base, and the base within its bounds', () => {
    fc.assert(
      fc.property(policies, attempt, uniform, (policy, made, random) => {
        const wait = retryWaitMs(policy, made, () => random);
        const { taskWaitSeconds, maxWaitSeconds, jitter, backoff } = policy;
        const base = 1000 * (backoff === 'fixed' ? taskWaitSeconds : Math.min(taskWaitSeconds * 2 ** (made - 1), maxWaitSeconds));
        expect(Number.isFinite(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(base * (1 - jitter) * (1 - 1e-9));
        expect(wait).toBeLessThanOrEqual(base * (1 + jitter) * (1 + 1e-9));
      }),
    );
  });

  it('never gets shorter from attempt to attempt without jitter', () => {
    fc.assert(
      fc.property(policies, attempt, (policy, made) => {
        const exact = { ...policy, jitter: 0 };
        expect(retryWaitMs(exact, made + 1, random)).toBeGreaterThanOrEqual(retryWaitMs(exact, made, random));
      }),
    );
  });

  it('doubles up to its maximum', () => {
    const policy = { taskWaitSeconds: 1, maxWaitSeconds: 10, jitter: 0, backoff: 'exponential' as const };
    expect([1, 2, 3, 4, 5, 6].map((made) => retryWaitMs(policy, made, random))).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  it('takes no random number without jitter', () => {
    const policy = { taskWaitSeconds: 1, maxWaitSeconds: 10, jitter: 0, backoff: 'fixed' as const };
    expect(retryWaitMs(policy, 1, () => expect.fail('it was asked for'))).toBe(1_000);
  });
});
