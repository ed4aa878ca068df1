import { useSignal } from '@preact/signals';
import { Fault } from '../parts/fault.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { Value } from '../parts/value.tsx';
import { at, duration, plural } from '../parts/words.ts';
import { linkTo } from '../state/address.ts';
import { ask, path, send } from '../state/api.ts';
import { save } from '../state/download.ts';
import { detailsOf } from '../state/live-data.ts';
import { may } from '../state/session.ts';
import type { ItemPreview, PipelineDetail, StatusEvent, WaitingFor } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';

/** So much of a value is shown; a payload of megabytes is offered as a file. */
const PREVIEW_CHARACTERS = 4000;
const ENDED = new Set(['completed', 'failed', 'cancelled']);

/** One item: where it is, why it waits, what happened to it, and what it is. */
export function Item({ pipeline: { id }, itemId }: { pipeline: PipelineDetail; itemId: string }) {
  const url = path`/pipelines/${id}/items/${itemId}`;
  const isOver = useSignal(false);
  const { stats } = detailsOf(id);
  const {
    data: item,
    error,
    again,
  } = useRequest<ItemPreview>(`${url}?preview=${PREVIEW_CHARACTERS}`, {
    on: isOver.value ? 0 : stats.value?.asOf,
  });
  const fault = useSignal<Error | null>(null);
  if (item !== undefined) isOver.value = ENDED.has(item.status);
  const act = async (method: 'POST' | 'DELETE', at: string): Promise<void> => {
    try {
      fault.value = null;
      await ask(at, { method });
      isOver.value = false;
      again();
    } catch (thrown) {
      fault.value = thrown as Error;
    }
  };
  const saveWhole = async (): Promise<void> => {
    try {
      fault.value = null;
      save(await (await send(`${url}/value`)).blob(), `${itemId.replaceAll(/[^\w.-]/g, '-')}.json`);
    } catch (thrown) {
      fault.value = thrown as Error;
    }
  };
  return (
    <>
      <p class="crumbs">
        <a href={linkTo(id, 'items')}>All items</a>
      </p>
      <Fault error={error ?? fault.value} />
      {item !== undefined && (
        <>
          <div class="card">
            <div class="head">
              <h2>{item.id}</h2>
              <StateMark state={item.status} />
              <div class="actions">
                {may('operate') && item.status === 'failed' && (
                  <button type="button" onClick={() => void act('POST', `${url}/retry`)}>
                    Retry
                  </button>
                )}
                {may('operate') && !ENDED.has(item.status) && (
                  <button type="button" class="danger" onClick={() => void act('DELETE', url)}>
                    Cancel
                  </button>
                )}
              </div>
            </div>
            {item.waitingFor !== null && <p class="note">Waits {waitingWords(item.waitingFor)}.</p>}
            {(item.error ?? item.lastError) !== null && (
              <p class={`note ${item.error === null ? 'warn' : 'bad'}`}>
                {item.error === null ? 'Last failure' : 'Failed'} in {(item.error ?? item.lastError)?.stage},{' '}
                {(item.error ?? item.lastError)?.type}: <code>{(item.error ?? item.lastError)?.message}</code>
              </p>
            )}
            <dl class="facts">
              <dt>Feed</dt>
              <dd>
                <a href={linkTo(id, 'feeds', item.feedId)}>{item.feedId}</a>, number {item.sequenceId}
              </dd>
              <dt>Stage</dt>
              <dd>{item.stage}</dd>
              <dt>Attempts</dt>
              <dd>{item.totalAttempts}</dd>
              <dt>Priority</dt>
              <dd>{item.priority}</dd>
              <dt>Accepted</dt>
              <dd>{at(item.acceptedAt, true)}</dd>
            </dl>
          </div>
          <div class="grid item-grid">
            <div class="card">
              <h2>What happened</h2>
              <Timeline history={item.history} isTruncated={item.historyTruncated} />
            </div>
            <div class="card">
              <h2>Value</h2>
              <Value preview={item.valuePreview} whole={() => void saveWhole()} />
              {item.inputPreview && (
                <>
                  <h2 class="next">As it was fed</h2>
                  <Value preview={item.inputPreview} />
                </>
              )}
              {Object.keys(item.metadata).length > 0 && (
                <>
                  <h2 class="next">Metadata</h2>
                  <pre class="text">{JSON.stringify(item.metadata, null, 2)}</pre>
                </>
              )}
            </div>
          </div>
        </>
      )}
    </>
  );
}

function waitingWords({ reason, until, task, limiter, stage }: WaitingFor): string {
  const time = until === undefined ? '' : ` until ${at(until, true)}`;
  const words: Record<WaitingFor['reason'], string> = {
    workers: 'for a worker',
    'task-limit': `for ${limiter ? `limiter ${limiter}` : `the limit of ${task ?? 'its task'}`}`,
    'rate-limit': `for ${limiter ? `limiter ${limiter}` : `the rate of ${task ?? 'its task'}`}`,
    thread: 'for a thread',
    hand: 'for a hand',
    retry: 'to be tried again',
    'next-stage-full': `for room in ${stage ?? 'the next stage'}`,
    paused: 'because it is paused',
  };
  return words[reason] + time;
}

function Timeline({ history, isTruncated }: { history: readonly StatusEvent[]; isTruncated: boolean }) {
  return (
    <ol class="timeline">
      {isTruncated && <li class="muted whole-line">What was before is no longer kept.</li>}
      {history.map((event, i) => {
        const { stage, status, worker, timestamp, metadata } = event;
        const next = history[i + 1];
        const seconds = next === undefined ? null : (Date.parse(next.timestamp) - Date.parse(timestamp)) / 1000;
        const { error, attempts } = metadata as { error?: unknown; attempts?: unknown };
        return (
          <li key={`${timestamp} ${status} ${stage}`}>
            <span class="when muted">{at(timestamp, true)}</span>
            <span class="what">
              <StateMark state={status} /> {stage}
              {worker !== null && <span class="muted"> {worker}</span>}
              {typeof attempts === 'number' && attempts > 1 && <span class="muted">, {plural(attempts, 'attempt')}</span>}
              {typeof error === 'string' && <span class="bad block">{error}</span>}
            </span>
            <span class="muted">{seconds === null ? '' : duration(seconds)}</span>
          </li>
        );
      })}
    </ol>
  );
}
