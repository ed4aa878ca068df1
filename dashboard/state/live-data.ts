import { type Signal, signal } from '@preact/signals';
import type { StreamEvent } from './event-stream.ts';
import type { DashboardSnapshot, FeedEvent, PipelineEvent, PipelineLine, StatsEvent, StatusEvent } from './types.ts';
import { createWorkers, type Workers } from './workers.ts';

/** What the stream has said. Everything here is bounded: the pipelines that there are, and one of each thing for those on display. */

/** All pipelines, as the last overview had them; undefined before the first. */
export const pipelines = signal<readonly PipelineLine[] | undefined>(undefined);
/** Counts up when what was read before may be out of date: events were missed. */
export const epoch = signal(0);

export interface Details {
  stats: Signal<StatsEvent | undefined>;
  workers: Workers;
  /** The queues as the stats of the last minute had them, oldest first, to tell whether one grows. */
  queues: Map<string, number[]>;
  /** Counts up when a feed is done, and when somebody changed the pipeline. */
  feedsDone: Signal<number>;
  changes: Signal<number>;
}

const atNextFrame = (draw: () => void): unknown => requestAnimationFrame(draw);

const details = new Map<string, Details>();
const QUEUES_KEPT = 15;

export function detailsOf(id: string): Details {
  let found = details.get(id);
  if (found === undefined) {
    found = { stats: signal(undefined), workers: createWorkers(atNextFrame), queues: new Map(), feedsDone: signal(0), changes: signal(0) };
    details.set(id, found);
  }
  return found;
}

/** Forgets the details of a pipeline that nobody shows any more. */
export function dropDetails(id: string): void {
  details.delete(id);
}

/** Takes what came over the stream, in its order. */
export function takeEvents(events: readonly StreamEvent[]): void {
  for (const { event, data } of events) {
    switch (event) {
      case 'status':
        takeStatus(data as StatusEvent & { pipelineId: string });
        break;
      case 'overview':
        takeOverview(data as { pipelines: PipelineLine[] });
        break;
      case 'stats':
        takeStats(data as StatsEvent & { pipelineId: string });
        break;
      case 'snapshot': {
        const { pipelineId, workerStates } = data as DashboardSnapshot & { pipelineId: string };
        details.get(pipelineId)?.workers.take(workerStates);
        break;
      }
      case 'feed': {
        const found = details.get((data as FeedEvent).pipelineId);
        if (found !== undefined) found.feedsDone.value++;
        break;
      }
      case 'pipeline': {
        const found = details.get((data as PipelineEvent).pipelineId);
        if (found !== undefined) found.changes.value++;
        break;
      }
      case 'gap':
        epoch.value++;
        break;
    }
  }
}

function takeStatus({ pipelineId, itemId, status, worker, timestamp }: StatusEvent & { pipelineId: string }): void {
  if (worker === null) return;
  const found = details.get(pipelineId);
  if (found === undefined) return;
  if (status === 'in_progress') found.workers.begin(worker, itemId, timestamp);
  else found.workers.end(worker, itemId);
}

function takeOverview({ pipelines: lines }: { pipelines: PipelineLine[] }): void {
  // The stream does not repeat what does not change.
  const known = new Map(pipelines.peek()?.map((line) => [line.id, line]));
  pipelines.value = lines.map((line) => ({ ...known.get(line.id), ...line }));
}

function takeStats({ pipelineId, ...stats }: StatsEvent & { pipelineId: string }): void {
  const found = details.get(pipelineId);
  if (found === undefined) return;
  for (const [stage, { pendingItems, workers }] of Object.entries(stats.stages)) {
    found.workers.count(stage, workers.limited);
    const kept = found.queues.get(stage) ?? [];
    kept.push(pendingItems);
    if (kept.length > QUEUES_KEPT) kept.shift();
    found.queues.set(stage, kept);
  }
  found.stats.value = stats;
}
