/** The newest reading of a clock, in milliseconds. Whoever records is given this object, since a number with a fraction would take memory in each call. */
export interface Moment {
  readonly now: number;
}

/** The instant from which on something no longer happens in the same millisecond as what happened at `now`. */
export function endOfMs(now: number): number {
  return Math.floor(now) + 1;
}
