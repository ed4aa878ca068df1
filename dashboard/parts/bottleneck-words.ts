import type { Bottleneck } from '../state/types.ts';
import { at, count } from './words.ts';

/** What holds a pipeline up, in a few words for a line of a table. */
export function bottleneckShort({ stage, reason, limiter, task }: Bottleneck): string {
  switch (reason) {
    case 'workers':
      return `${stage}: all workers busy`;
    case 'paused':
      return `${stage} is paused`;
    case 'task-limit':
    case 'rate-limit':
      return `${stage}: ${limiter === null ? `limit of ${task}` : `limiter ${limiter}`}`;
    case 'retry':
      return `${stage}: waits to retry`;
    case 'hand':
      return `${stage}: waits for a hand`;
    case 'thread':
      return `${stage}: waits for a thread`;
    case 'next-stage-full':
      return `${stage}: next stage is full`;
  }
}

/** What is known of a limiter besides. */
export interface LimiterUse {
  inUse: number;
  usedInWindow?: number | null;
  settings: { concurrency?: number | undefined; limit?: number | undefined; perSeconds?: number | undefined };
}

/** The same as a sentence that says whether more workers would help. */
export function bottleneckSentence(bottleneck: Bottleneck, use?: LimiterUse): string {
  const { stage, reason, task, limiter, until, workersWaiting, workers } = bottleneck;
  const waiting = workersWaiting === 1 ? `1 of ${workers} workers waits` : `${count(workersWaiting)} of ${count(workers)} workers wait`;
  const then = until === null ? '' : `, the first until ${at(until, true)}`;
  switch (reason) {
    case 'workers':
      return `${stage} is held up by its workers: ${workers === 1 ? 'the only one is' : `all ${count(workers)} are`} busy. More workers would help.`;
    case 'paused':
      return `${stage} is paused. Nothing passes it until it is resumed.`;
    case 'task-limit':
    case 'rate-limit': {
      const by = limiter === null ? `the limit of task ${task}` : `limiter ${limiter}`;
      return `${stage} is held up by ${by}: ${usedUp(use)}${waiting}${then}. More workers would not help.`;
    }
    case 'retry':
      return `${stage} waits to try again what has failed${then}. More workers would not help.`;
    case 'hand':
      return `${stage} waits for a hand that runs ${task ?? 'its task'}: ${waiting}.`;
    case 'thread':
      return `${stage} waits for a thread for ${task ?? 'its task'}: ${waiting}. More workers would not help; more threads would.`;
    case 'next-stage-full':
      return `${stage} waits for room in the next stage: ${waiting}.`;
  }
}

function usedUp(use: LimiterUse | undefined): string {
  if (use === undefined) return '';
  const { limit, perSeconds = 1, concurrency } = use.settings;
  if (limit !== undefined) return `${count(limit)}${perSeconds === 1 ? '/s' : ` per ${perSeconds} s`} used up, `;
  return concurrency === undefined ? '' : `${count(use.inUse)} of ${count(concurrency)} in use, `;
}
