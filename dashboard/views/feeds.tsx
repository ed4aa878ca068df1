import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { Bar } from '../parts/bar.tsx';
import { Fault } from '../parts/fault.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { at, count, doneAt, rate } from '../parts/words.ts';
import { linkTo } from '../state/address.ts';
import { path } from '../state/api.ts';
import { detailsOf } from '../state/live-data.ts';
import { may } from '../state/session.ts';
import type { FeedView, PipelineDetail } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';
import { FeedForm } from './feed-form.tsx';

const SHOWN = 50;

/** Feeds of a pipeline, the newest first, and a place to paste or drop new items. */
export function Feeds({ pipeline }: { pipeline: PipelineDetail }) {
  const { id } = pipeline;
  const limit = useSignal(SHOWN);
  const { feedsDone, stats } = detailsOf(id);
  const isBusy = (stats.value?.itemsInFlight ?? 1) > 0;
  const { data, error, again } = useRequest<{ feeds: FeedView[]; nextCursor: string | null }>(
    `${path`/pipelines/${id}/feeds`}?order=desc&limit=${limit.value}`,
    { everySeconds: isBusy ? 2 : 15, on: `${feedsDone.value} ${isBusy}` },
  );
  return (
    <>
      {may('feed') && <FeedForm pipeline={pipeline} done={again} />}
      <Fault error={error} />
      {data !== undefined &&
        (data.feeds.length === 0 ? (
          <div class="card empty muted">Nothing has been fed yet.</div>
        ) : (
          <Table label="Feeds" columns={columnsOf(id)} rows={data.feeds} keyOf={({ feedId }) => feedId} />
        ))}
      {data?.nextCursor && limit.value < 1000 && (
        <p class="more">
          <button
            type="button"
            onClick={() => {
              limit.value = Math.min(1000, limit.value * 4);
            }}
          >
            Show more
          </button>
        </p>
      )}
    </>
  );
}

function columnsOf(id: string): Column<FeedView>[] {
  return [
    {
      name: 'Feed',
      cell: ({ feedId, createdAt, done, uploadComplete }) => (
        <>
          <a href={linkTo(id, 'feeds', feedId)}>{feedId}</a>
          <span class="muted small under">
            {at(createdAt, true)}
            {!uploadComplete && (done ? ', upload broke off' : ', still uploading')}
          </span>
        </>
      ),
    },
    {
      name: 'Progress',
      classOf: () => 'progress',
      cell: ({ feedId, total, completed, failed, cancelled }) => (
        <>
          <Bar label={`Progress of ${feedId}`} total={total} completed={completed} failed={failed} cancelled={cancelled} />
          <span class="muted small">{total === 0 ? 'empty' : `${Math.floor(((completed + failed + cancelled) / total) * 100)} %`}</span>
        </>
      ),
    },
    { name: 'Items', isNumber: true, cell: ({ total }) => count(total) },
    {
      name: 'Failed',
      isNumber: true,
      classOf: ({ failed }) => (failed > 0 ? 'bad' : ''),
      cell: ({ feedId, failed }) => (failed > 0 ? <a href={linkTo(id, 'failures', '', { feed: feedId })}>{count(failed)}</a> : '0'),
    },
    { name: 'Rate', isNumber: true, cell: ({ throughputPerSecond }) => rate(throughputPerSecond) },
    { name: 'Done', isNumber: true, cell: doneOf },
  ];
}

function doneOf({ done, etaSeconds }: FeedView): ComponentChildren {
  if (!done) return etaSeconds === null ? 'unknown' : doneAt(etaSeconds);
  return (
    <span class="state" data-state="done">
      done
    </span>
  );
}
