import type { StageDefinition } from '../../schemas/definition.ts';
import { SluiceError } from '../contract/errors.ts';
import type { Stage } from '../model/model.ts';

export const MAX_WORKERS = 20_000;

/**
 * The number of workers that a stage counts with: that of its definition or of its tuning, whichever is larger, so that the way back to the definition is always
 * open; and with those that leave only when their item has ended.
 */
export function workersClaimed(defined: StageDefinition, effective: StageDefinition, stage?: Stage): number {
  const staying = stage === undefined ? 0 : Math.min(stage.workers.length, effective.workers + stage.inProgress);
  return Math.max(defined.workers, effective.workers, staying);
}

/** Throws `invalid-pipeline` when pipelines would have more workers, all together, than they may; `others`: those of the other pipelines. */
export function expectRoomFor(workers: number, others: number, most: number): void {
  if (workers + others <= most) return;
  const message = wordsFor(workers, others, most);
  throw new SluiceError('invalid-pipeline', `/stages ${message}`, { errors: [{ path: '/stages', message }] });
}

export function wordsFor(workers: number, others: number, most: number, whose = 'pipelines'): string {
  const together = others === 0 ? '' : `, ${workers + others} with those of other ${whose}`;
  return `makes ${workers} workers${together}: more than MAX_WORKERS allows (${most})`;
}
