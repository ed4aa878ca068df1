import type { AllowedRate } from './gate.ts';

/** Combines several limits, as they allow together: the lowest rate that can be told, and the longest window; null when none of them limits a rate. */
export function lowestOf(rates: readonly (AllowedRate | null)[]): AllowedRate | null {
  const limits = rates.filter((rate) => rate !== null);
  if (limits.length === 0) return null;
  const told = limits.flatMap(({ perSecond }) => (perSecond === null ? [] : [perSecond]));
  return {
    perSecond: told.length === 0 ? null : Math.min(...told),
    windowSeconds: Math.max(...limits.map(({ windowSeconds }) => windowSeconds)),
  };
}
