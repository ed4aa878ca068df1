import { type PipelineHost, type PipelineRuntime, SluiceError } from '../../engine/index.ts';
import type { OverviewEvent } from '../../schemas/overview.ts';
import type { DashboardSnapshot } from '../../schemas/stats.ts';
import { type StatsEvent, toStatsEvent } from '../../schemas/stats-event.ts';
import type { SnapshotView } from '../sse/snapshots.ts';
import { withOverviews } from './pipeline-view.ts';

/** Reads what event streams are sent at intervals. */

type Sees = (pipelineId: string) => boolean;
type WithSnapshot = DashboardSnapshot & { pipelineId?: string };

/** The most failures in a snapshot that is sent again and again; `GET …/errors` has more. */
const FAILURES_MAX = 100;

export function withFewFailures(snapshot: WithSnapshot): WithSnapshot {
  const { errorSummary } = snapshot;
  if (errorSummary.failedItems.length <= FAILURES_MAX) return snapshot;
  return { ...snapshot, errorSummary: { ...errorSummary, failedItems: errorSummary.failedItems.slice(-FAILURES_MAX) } };
}

export async function statsNow(runtime: PipelineRuntime): Promise<StatsEvent> {
  const [stats, { state }] = await Promise.all([runtime.stats(), runtime.describe()]);
  return toStatsEvent(stats, state);
}

export async function statsOfAll(host: PipelineHost, sees: Sees): Promise<object[]> {
  const all = (await host.list()).filter(({ definition: { id } }) => sees(id));
  return (await Promise.all(all.map(({ definition: { id } }) => statsOf(host, id)))).flat();
}

export async function snapshotsOfAll(host: PipelineHost, sees: Sees): Promise<object[]> {
  return (await host.snapshots()).filter(({ pipelineId }) => sees(pipelineId)).map(withFewFailures);
}

/** The overview of all pipelines as one event. */
export async function overviewOfAll(host: PipelineHost, sees: Sees): Promise<[OverviewEvent]> {
  const { events } = host;
  // Whatever comes while they are looked at may or may not be in the numbers.
  const asOf = events.lines.idOf(events.newest);
  const rows = (await host.list())
    .filter(({ definition: { id } }) => sees(id))
    .map(({ definition: { id }, state, itemsProcessed, itemsFailed, itemsInFlight }) => ({
      ...{ id, state, itemsProcessed, itemsFailed, itemsInFlight },
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return [{ pipelines: await withOverviews(host, rows), asOf }];
}

/** A view of each pipeline by itself: readers of any of them share what is read of it. */
export function viewsOf(host: PipelineHost, what: 'stats' | 'snapshot', ids: readonly string[]): SnapshotView[] {
  const read = what === 'stats' ? statsOf : snapshotOf;
  return [...new Set(ids)].map((id) => ({ subject: id, read: () => read(host, id) }));
}

async function statsOf(host: PipelineHost, pipelineId: string): Promise<object[]> {
  return unlessGone(async () => ({ pipelineId, ...(await statsNow(host.get(pipelineId))) }));
}

async function snapshotOf(host: PipelineHost, pipelineId: string): Promise<object[]> {
  return unlessGone(async () => withFewFailures({ pipelineId, ...(await host.get(pipelineId).snapshot()) }));
}

/** Nothing of a pipeline that is not there, or was removed meanwhile. */
async function unlessGone(read: () => Promise<object>): Promise<object[]> {
  try {
    return [await read()];
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'pipeline-not-found') return [];
    throw error;
  }
}
