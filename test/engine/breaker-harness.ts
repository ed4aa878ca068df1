import type { StageOptions, TaskContext } from '../../src/engine/index.ts';
import { type LogLine, type Virtual, virtualPipeline } from './harness.ts';

export type Limit = NonNullable<StageOptions['pauseAfterFailures']>;

export const refuse = (_value: unknown, ctx: TaskContext): never => {
  throw ctx.permanent('the key has expired');
};
export const ids = (count: number, from = 1) => Array.from({ length: count }, (_, i) => ({ id: `i${from + i}` }));

/** A pipeline with one stage, `A`, started. */
export async function withLimit(limit: Limit | undefined, stage: Partial<StageOptions> = {}): Promise<Virtual> {
  const made = virtualPipeline([{ name: 'A', tasks: [refuse], ...stage, ...(limit && { pauseAfterFailures: limit }) }]);
  await made.pipeline.start();
  return made;
}

export async function shown({ pipeline }: Pick<Virtual, 'pipeline'>) {
  const { pausedStages, pausedReasons, itemsFailed, itemsInFlight } = await pipeline.runtime.describe();
  return { pausedStages, pausedReasons, itemsFailed, itemsInFlight };
}

export const warnings = (logs: readonly LogLine[]): LogLine[] => logs.filter(({ level }) => level === 'warn');

/** Feeds one more item, which fails if the stage is open. */
export async function failOne({ pipeline, clock }: Virtual, id: number): Promise<number> {
  await pipeline.feed(ids(1, id));
  await clock.settle();
  return pipeline.getStats().itemsFailed;
}
