/*
 * Room `series`: what a pipeline measured in the past, bucket by bucket: five seconds for an hour, five minutes for a week.
 *
 * Holds: A bucket in which nothing happened and nothing changed takes no room. All pipelines together keep a bounded number of points; where there are more, the oldest go.
 * Refuses: to measure, and to have a timer of its own: whoever owns a series tells it when a bucket is over.
 */

/**
 * One stage in one bucket. The first four are counts of the bucket; queue and workers are as they were at its end; the others are quantiles in milliseconds, -1 for
 * none: nothing waited or ran.
 */
export type Point = [
  entered: number,
  left: number,
  failed: number,
  retried: number,
  queue: number,
  running: number,
  limited: number,
  blocked: number,
  idle: number,
  waitP50: number,
  waitP90: number,
  runP50: number,
  runP90: number,
];

/** Places in a {@link Point}. */
export const PLACE = { counts: 0, state: 4, quantiles: 9 } as const;

/** Stands for a quantile of nothing. */
export const NONE = -1;

/** Whether a point says what was so before: nothing happened, and queue and workers are as they were in `before`. */
export function isQuiet(point: Point, before: Point | undefined): boolean {
  if (before === undefined) return false;
  for (let place = PLACE.counts; place < PLACE.state; place++) if (point[place] !== 0) return false;
  for (let place = PLACE.state; place < PLACE.quantiles; place++) if (point[place] !== before[place]) return false;
  return true;
}

/** Nothing happens, and queue and workers stay as they were. */
export function quietAfter(before: Point): Point {
  const point = [...before] as Point;
  point.fill(0, PLACE.counts, PLACE.state);
  point.fill(NONE, PLACE.quantiles);
  return point;
}

/** How many executions the quantiles of a point are of. */
function executionsOf(point: Point): number {
  const [, left, failed, retried] = point;
  return left + failed + retried;
}

/**
 * Two points, one after the other, as one: counts are added, queue and workers are those of the later one. Quantiles of two buckets are not a quantile of both; what comes
 * nearest to it is their mean, weighted by executions.
 */
export function merged(earlier: Point, later: Point): Point {
  const point = [...later] as Point;
  for (let place = PLACE.counts; place < PLACE.state; place++) (point[place] as number) += earlier[place] as number;
  const [a, b] = [executionsOf(earlier), executionsOf(later)];
  for (let place = PLACE.quantiles; place < point.length; place++) {
    const [one, two] = [earlier[place] as number, later[place] as number];
    if (two === NONE) point[place] = one;
    else if (one !== NONE && a + b > 0) point[place] = (one * a + two * b) / (a + b);
  }
  return point;
}
