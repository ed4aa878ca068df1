import { useSignal } from '@preact/signals';
import { Bar } from '../parts/bar.tsx';
import { Fault } from '../parts/fault.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
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
          <ScrollBox label="Feeds">
            <table class="lines feeds">
              <thead>
                <tr>
                  <th scope="col">Feed</th>
                  <th scope="col">Progress</th>
                  <th scope="col" class="number">
                    Items
                  </th>
                  <th scope="col" class="number">
                    Failed
                  </th>
                  <th scope="col" class="number">
                    Rate
                  </th>
                  <th scope="col" class="number">
                    Done
                  </th>
                </tr>
              </thead>
              <tbody>
                {data.feeds.map((feed) => (
                  <Row key={feed.feedId} id={id} feed={feed} />
                ))}
              </tbody>
            </table>
          </ScrollBox>
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

function Row({ id, feed }: { id: string; feed: FeedView }) {
  const { feedId, createdAt, total, completed, failed, cancelled, done, throughputPerSecond, etaSeconds, uploadComplete } = feed;
  const ended = completed + failed + cancelled;
  return (
    <tr>
      <th scope="row">
        <a href={linkTo(id, 'feeds', feedId)}>{feedId}</a>
        <span class="muted small under">
          {at(createdAt, true)}
          {!uploadComplete && (done ? ', upload broke off' : ', still uploading')}
        </span>
      </th>
      <td class="progress">
        <Bar label={`Progress of ${feedId}`} total={total} completed={completed} failed={failed} cancelled={cancelled} />
        <span class="muted small">{total === 0 ? 'empty' : `${Math.floor((ended / total) * 100)} %`}</span>
      </td>
      <td class="number">{count(total)}</td>
      <td class={`number${failed > 0 ? ' bad' : ''}`}>
        {failed > 0 ? <a href={linkTo(id, 'failures', '', { feed: feedId })}>{count(failed)}</a> : '0'}
      </td>
      <td class="number">{rate(throughputPerSecond)}</td>
      <td class="number">
        {done ? (
          <span class="state" data-state="done">
            done
          </span>
        ) : etaSeconds === null ? (
          'unknown'
        ) : (
          doneAt(etaSeconds)
        )}
      </td>
    </tr>
  );
}
