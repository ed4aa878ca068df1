/** So many requests in so many seconds. */
export interface RequestRate {
  requests: number;
  perSeconds: number;
}

/** The form of a rate: `100/60`. */
export const RATE_FORM = 'must be a number of requests and of seconds, such as 100/60 (1 to 1000000 in 1 to 86400)';

/** Reads `100/60`; undefined if it is none. */
export function parseRequestRate(text: string): RequestRate | undefined {
  const [, requests, perSeconds] = /^([1-9]\d{0,6})\/([1-9]\d{0,4})$/.exec(text) ?? [];
  const rate = { requests: Number(requests), perSeconds: Number(perSeconds) };
  return rate.requests <= 1_000_000 && rate.perSeconds <= 86_400 ? rate : undefined;
}
