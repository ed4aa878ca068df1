/** A stop that seems longer than this may be a clock that was set. */
const LONGEST_STOP_MS = 3_600_000;
/** A clock that is set by this little goes right. */
export const SET_RIGHT_MS = 1000;

/**
 * How far the wall clock seems to have been set between the last write and a start, in milliseconds; 0 when what lies between can be a stop.
 * Instants of before correspond to instants of now so much later: what waits goes on waiting for what was left, and nothing is older than it was. A
 * stop of over an hour looks the same, and then does not count either.
 *
 * `lastAt`: milliseconds since the Unix epoch, as that process told the time; null: not known.
 */
export function clockShift(now: number, lastAt: number | null): number {
  if (lastAt === null) return 0;
  const between = Math.round(now - lastAt);
  return between > -SET_RIGHT_MS && between < LONGEST_STOP_MS ? 0 : between;
}
