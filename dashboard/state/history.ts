import type { PipelineHistory } from './types.ts';

/** Colours of stages, by their place. */
export const STAGE_COLOURS = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'] as const;

type Bucket = PipelineHistory['stages'][string][number];

/** The times of all buckets, and for each stage its bucket at each of them. */
function aligned(
  { stages, from, bucketSeconds }: PipelineHistory,
  names: readonly string[],
): { times: number[]; of: Map<string, (Bucket | undefined)[]> } {
  const start = Date.parse(from) / 1000;
  const length = Math.max(0, ...names.map((name) => indexOf(stages[name]?.at(-1), start, bucketSeconds) + 1));
  const of = new Map(
    names.map((name) => {
      const row = new Array<Bucket | undefined>(length).fill(undefined);
      for (const bucket of stages[name] ?? []) row[indexOf(bucket, start, bucketSeconds)] = bucket;
      return [name, row];
    }),
  );
  return { times: Array.from({ length }, (_, i) => start + i * bucketSeconds), of };
}

function indexOf(bucket: Bucket | undefined, start: number, seconds: number): number {
  return bucket === undefined ? -1 : Math.round((Date.parse(bucket.at) / 1000 - start) / seconds);
}

/** Times; items that came in, went out and failed, per second. */
export function throughputOf(history: PipelineHistory, names: readonly string[]): number[][] {
  const { times, of } = aligned(history, names);
  const perSecond = (value: number): number => value / history.bucketSeconds;
  const first = of.get(names[0] ?? '') ?? [];
  const last = of.get(names.at(-1) ?? '') ?? [];
  return [
    times,
    times.map((_, i) => perSecond(first[i]?.in ?? 0)),
    times.map((_, i) => perSecond(last[i]?.out ?? 0)),
    times.map((_, i) => perSecond(names.reduce((sum, name) => sum + (of.get(name)?.[i]?.failed ?? 0), 0))),
  ];
}

/**
 * A cumulative flow diagram: times; for each stage the items that are in it or beyond it; those that are done since the first time. The distance between two
 * lines is how many items a stage holds at that time.
 */
export function flowOf(history: PipelineHistory, names: readonly string[]): number[][] {
  const { times, of } = aligned(history, names);
  const last = of.get(names.at(-1) ?? '') ?? [];
  let done = 0;
  const doneAt = times.map((_, i) => {
    done += (last[i]?.out ?? 0) + names.reduce((sum, name) => sum + (of.get(name)?.[i]?.failed ?? 0), 0);
    return done;
  });
  const lines: number[][] = [];
  let below = doneAt;
  for (const name of names.toReversed()) {
    const row = of.get(name) ?? [];
    below = below.map((value, i) => value + held(row[i]));
    lines.unshift(below);
  }
  return [times, ...lines, doneAt];
}

/** All items of a stage at the end of a bucket. */
function held(bucket: Bucket | undefined): number {
  return bucket === undefined ? 0 : bucket.queue + bucket.running + bucket.limited + bucket.blocked;
}
