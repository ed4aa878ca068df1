import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { closeService, type EndingHost } from '../../../src/process/ending.ts';
import { logging } from '../replicas.ts';
import { ENDS_WITHIN_MS } from './nodes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const hostOf = (isAwaited: boolean, close: () => Promise<void>): EndingHost => ({
  ...{ isAwaited, close, hasThreadsLeft: false },
  notStored: () => ({ count: 0, ids: [] }),
});

/** Closes a service whose last connection is never over. Resolves with how long it took, and what it said. */
async function closed(host: EndingHost) {
  const { logger, errors, warnings } = logging();
  const app = { close: async () => undefined, server: { closeAllConnections: () => undefined } };
  const since = performance.now();
  const closing = closeService({ host, app: app as never, logger: logger as never });
  await vi.runAllTimersAsync();
  return { isHeld: await closing, took: performance.now() - since, errors, warnings };
}

const LATE = 'the node ends without having left the cluster in order: the others wait for its lease';

it.each([
  ['does not come to an end', () => new Promise<void>(() => undefined)],
  ['fails', () => Promise.reject(new Error('the log is gone'))],
])('a node whose part in the cluster %s ends all the same, in its time, and without an error', async (_, close) => {
  const { isHeld, took, errors, warnings } = await closed(hostOf(true, close));
  expect([isHeld, errors, warnings]).toEqual([true, [], [LATE]]);
  expect(took).toBeLessThanOrEqual(ENDS_WITHIN_MS);
});

it('a service whose own store does not close says so as an error', async () => {
  const { isHeld, took, errors, warnings } = await closed(hostOf(false, () => new Promise(() => undefined)));
  expect([isHeld, errors, warnings]).toEqual([true, ['the store does not close; it is left behind'], []]);
  expect(took).toBeLessThanOrEqual(ENDS_WITHIN_MS);
});
