import type { FastifyReply } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import type { RequestRate } from '../../schemas/request-rate.ts';

interface Window {
  count: number;
  /** When it ends, by the monotonic clock. */
  ends: number;
}

/**
 * Counts the requests of each name of keys, in windows that begin with the first request after the last one has ended. Says in every answer how many are left,
 * in the fields of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "default";q=100;w=60` and `RateLimit: "default";r=99;t=60`.
 *
 * @returns Counts a request; the refusal when it is one too many.
 */
export function createRequestRates(clock: Clock) {
  /** One entry a name, of which there are as many as in `API_KEYS`. */
  const windows = new Map<string, Window>();

  return function count(name: string, { requests, perSeconds }: RequestRate, reply: FastifyReply): SluiceError | undefined {
    const now = clock.monotonic();
    let window = windows.get(name);
    if (window === undefined || window.ends <= now) {
      window = { count: 0, ends: now + perSeconds * 1000 };
      windows.set(name, window);
    }
    const left = requests - window.count;
    if (left > 0) window.count++;
    // To the millisecond: the rest is the rounding of the clock.
    const seconds = Math.max(1, Math.ceil(Math.round(window.ends - now) / 1000));
    reply.header('ratelimit-policy', `"default";q=${requests};w=${perSeconds}`);
    reply.header('ratelimit', `"default";r=${Math.max(0, left - 1)};t=${seconds}`);
    if (left > 0) return undefined;
    const message = `the key "${name}" has sent ${requests} requests in ${perSeconds} s, as many as it may`;
    return new SluiceError('too-many-requests', message, { retryAfterSeconds: seconds });
  };
}
