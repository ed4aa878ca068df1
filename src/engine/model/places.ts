/** The bounded place that a queued item occupies: in the pipeline's backlog, in its stage's hand-over buffer, or none (a retry). */
export const PLACE_NONE = 0;
export const PLACE_BACKLOG = 1;
export const PLACE_HANDED = 2;
export type Place = typeof PLACE_NONE | typeof PLACE_BACKLOG | typeof PLACE_HANDED;

/** The distance by which the `ord` of an item that has begun in its stage lies below its moment: it is negative, and any other is not. */
const BEGUN = 2 ** 51;

/** The `ord` of an item that is queued at a moment, a number from 1: within a priority, those that have begun in their stage go first. */
export function ordAt(moment: number, hasBegun: boolean): number {
  return hasBegun ? moment - BEGUN : moment;
}

/** The moment in an `ord`. */
export function momentOf(ord: number): number {
  return ord < 0 ? ord + BEGUN : ord;
}

/** Makes the id `<prefix>-<sequence id>`. It is never stored, so a queued item costs no string and no entry in an index by id. */
export function generatedId(prefix: string, sequenceId: number): string {
  return `${prefix}-${sequenceId}`;
}
