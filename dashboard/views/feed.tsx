import { useSignal } from '@preact/signals';
import { Bar } from '../parts/bar.tsx';
import { DownloadButton } from '../parts/download-button.tsx';
import { Fault } from '../parts/fault.tsx';
import { at, count, doneAt, duration, rate } from '../parts/words.ts';
import { linkTo } from '../state/address.ts';
import { ask, path } from '../state/api.ts';
import { client } from '../state/download.ts';
import { detailsOf } from '../state/live-data.ts';
import { may } from '../state/session.ts';
import type { FeedView, PipelineDetail } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';

/** One feed: how far it is, when it will be done, and what came of it. */
export function Feed({ pipeline: { id }, feedId }: { pipeline: PipelineDetail; feedId: string }) {
  const { feedsDone } = detailsOf(id);
  const url = path`/pipelines/${id}/feeds/${feedId}`;
  const isDone = useSignal(false);
  const { data: feed, error, again } = useRequest<FeedView>(url, { on: feedsDone.value, everySeconds: isDone.value ? 3600 : 1 });
  const fault = useSignal<Error | null>(null);
  if (feed !== undefined) isDone.value = feed.done;
  const act = async (method: 'POST' | 'DELETE', at: string): Promise<void> => {
    try {
      fault.value = null;
      await ask(at, { method });
      again();
    } catch (thrown) {
      fault.value = thrown as Error;
    }
  };
  return (
    <>
      <p class="crumbs">
        <a href={linkTo(id, 'feeds')}>All feeds</a>
      </p>
      <Fault error={error ?? fault.value} />
      {feed !== undefined && (
        <div class="card">
          <div class="head">
            <h2>{feedId}</h2>
            <div class="actions">
              {may('operate') && feed.failed > 0 && (
                <button type="button" onClick={() => void act('POST', `${url}/retry`)}>
                  Retry {count(feed.failed)} failed
                </button>
              )}
              {may('operate') && !feed.done && (
                <button type="button" class="danger" onClick={() => void act('DELETE', url)}>
                  Cancel the rest
                </button>
              )}
            </div>
          </div>
          <p class="sentence-plain">{sentence(feed)}</p>
          <Bar label="Progress" total={feed.total} completed={feed.completed} failed={feed.failed} cancelled={feed.cancelled} />
          <dl class="numbers">
            <Fact name="Items" value={count(feed.total)} />
            <Fact name="Waiting" value={count(feed.queued)} />
            <Fact name="Running" value={count(feed.inProgress)} />
            <Fact name="Completed" value={count(feed.completed)} />
            <Fact
              name="Failed"
              value={count(feed.failed)}
              link={feed.failed > 0 ? linkTo(id, 'failures', '', { feed: feedId }) : undefined}
            />
            <Fact name="Cancelled" value={count(feed.cancelled)} />
            <Fact name="Known before" value={count(feed.duplicates)} />
          </dl>
          <p class="downloads">
            <DownloadButton
              label="Results"
              name={`${id}-${feedId}`}
              rows={() => client().resultTexts(id, { feedId, status: 'completed' })}
            />
            {feed.failed > 0 && (
              <DownloadButton
                label="Failures"
                name={`${id}-${feedId}-failed`}
                rows={() => client().resultTexts(id, { feedId, status: 'failed' })}
              />
            )}
            <a href={linkTo(id, 'items', '', { feed: feedId })}>Its items</a>
          </p>
        </div>
      )}
    </>
  );
}

function Fact({ name, value, link }: { name: string; value: string; link?: string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{link === undefined ? value : <a href={link}>{value}</a>}</dd>
    </div>
  );
}

function sentence({ done, createdAt, etaSeconds, throughputPerSecond, uploadComplete, total }: FeedView): string {
  const began = `Fed at ${at(createdAt, true)}`;
  if (done && !uploadComplete) return `${began}. Its upload broke off after ${count(total)} items; they are done.`;
  if (done) return `${began}, and done, at ${rate(throughputPerSecond)}.`;
  if (etaSeconds === null) return `${began}. When it will be done is unknown.`;
  return `${began}. Runs at ${rate(throughputPerSecond)} and will be done at ${doneAt(etaSeconds)}, in ${duration(etaSeconds)}.`;
}
