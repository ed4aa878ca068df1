import { path } from '../state/api.ts';
import { detailsOf } from '../state/live-data.ts';
import type { FeedView, LimiterView, PipelineDetail, StatsEvent } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';
import { bottleneckSentence } from './bottleneck-words.ts';
import { count, doneAt, listed } from './words.ts';

interface BottleneckProps {
  id: string;
  stats: StatsEvent | undefined;
  pipeline: PipelineDetail;
}

/** What holds the pipeline up and when its feeds will be done, as one would say it. */
export function BottleneckWords({ id, stats, pipeline }: BottleneckProps) {
  const bottleneck = stats?.bottleneck ?? null;
  const limiter = bottleneck?.limiter ?? null;
  const { data: limiters } = useRequest<{ limiters: LimiterView[] }>(limiter === null ? null : '/limiters', { everySeconds: 10 });
  const isBusy = (stats?.itemsInFlight ?? 0) > 0;
  const { data: feeds } = useRequest<{ feeds: FeedView[] }>(isBusy ? `${path`/pipelines/${id}/feeds`}?order=desc&limit=20` : null, {
    everySeconds: 5,
    on: detailsOf(id).feedsDone.value,
  });
  if (stats === undefined) return <p class="sentence muted">…</p>;
  const use = limiters?.limiters.find(({ name }) => name === limiter);
  const running = (feeds?.feeds ?? []).filter(({ done, etaSeconds }) => !done && etaSeconds !== null && etaSeconds > 0).slice(0, 3);
  const ends = running.map(({ feedId, etaSeconds }) => `${feedId} will be done at ${doneAt(etaSeconds as number)}`);
  const reasons = Object.entries(pipeline.pausedReasons).map(([stage, why]) => `${stage} has paused itself: ${why}.`);
  const held =
    stats.state === 'paused'
      ? `Paused, with ${count(stats.itemsInFlight)} items in flight.`
      : bottleneck !== null
        ? bottleneckSentence(bottleneck, use)
        : isBusy
          ? 'Nothing holds it up.'
          : 'Nothing to do.';
  return (
    <p class="sentence" data-held={bottleneck !== null && stats.state !== 'paused' ? '' : undefined}>
      {[...reasons, held].join(' ')}
      {isBusy && ends.length > 0 && ` ${listed(ends)}.`}
    </p>
  );
}
