import { useSignal } from '@preact/signals';
import { Confirm } from '../parts/confirm.tsx';
import { DownloadButton } from '../parts/download-button.tsx';
import { Fault } from '../parts/fault.tsx';
import { TypedField } from '../parts/typed-field.tsx';
import { ago, count, plural } from '../parts/words.ts';
import { address, linkTo, replaceQuery } from '../state/address.ts';
import { ask, path, withQuery } from '../state/api.ts';
import { failedRows } from '../state/failed-rows.ts';
import { detailsOf } from '../state/live-data.ts';
import { now } from '../state/now.ts';
import { may } from '../state/session.ts';
import type { ErrorGroup, PipelineDetail } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';

/** Failures by what they have in common, and what can be done with exactly those. */
export function Failures({ pipeline }: { pipeline: PipelineDetail }) {
  const { id, definition } = pipeline;
  const { query } = address.value;
  const stage = query.get('stage') ?? '';
  const feed = query.get('feed') ?? '';
  const { stats } = detailsOf(id);
  const failed = stats.value?.itemsFailed ?? pipeline.itemsFailed;
  const url = withQuery(path`/pipelines/${id}/errors/groups`, { stage, feedId: feed, limit: 100 });
  const { data, error, again } = useRequest<{ groups: ErrorGroup[]; otherCount: number }>(url, { on: failed, everySeconds: 10 });
  return (
    <>
      <div class="fields filters">
        <label>
          Stage
          <select value={stage} onChange={({ currentTarget }) => replaceQuery('failures', { stage: currentTarget.value })}>
            <option value="">all</option>
            {definition.stages.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <TypedField label="Feed" value={feed} placeholder="any" change={(changed) => replaceQuery('failures', { feed: changed })} />
        {data !== undefined && <p class="muted count">{summary(data.groups, data.otherCount)}</p>}
      </div>
      <Fault error={error} />
      {data?.groups.length === 0 && <div class="card empty muted">No item is failed now.</div>}
      {data?.groups.map((group) => (
        <Group key={group.group} id={id} group={group} feed={feed} done={again} />
      ))}
    </>
  );
}

function summary(groups: readonly ErrorGroup[], otherCount: number): string {
  const sum = groups.reduce((total, group) => total + group.count, otherCount);
  return `${plural(sum, 'failed item')} in ${plural(groups.length, 'group')}${otherCount > 0 ? ` and ${count(otherCount)} others` : ''}`;
}

type Verb = 'retry' | 'cancel';

function Group({ id, group, feed, done }: { id: string; group: ErrorGroup; feed: string; done: () => void }) {
  const asked = useSignal<{ verb: Verb; count: number } | null>(null);
  const fault = useSignal<Error | null>(null);
  const filter = { group: group.group, ...(feed !== '' && { feedId: feed }) };
  const post = (verb: Verb, dryRun: boolean) =>
    ask<{ retried?: number; cancelled?: number }>(`${path`/pipelines/${id}`}/${verb}`, {
      method: 'POST',
      body: dryRun ? { ...filter, dryRun } : filter,
    });
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      fault.value = null;
      await work();
    } catch (error) {
      fault.value = error as Error;
    }
  };
  const prepare = (verb: Verb) =>
    attempt(async () => {
      const { retried, cancelled } = await post(verb, true);
      asked.value = { verb, count: retried ?? cancelled ?? 0 };
    });
  const act = (verb: Verb) =>
    attempt(async () => {
      asked.value = null;
      await post(verb, false);
      done();
    });
  return (
    <article class="card group">
      <div class="group-count">
        <b>{count(group.count)}</b>
        <span class="muted small">{group.stage}</span>
      </div>
      <div class="group-text">
        <h2>
          <span class="tag type">{group.type}</span> <code>{group.sample}</code>
        </h2>
        <p class="muted small ids">
          First {ago(group.firstAt, now.value)} ago, last {ago(group.lastAt, now.value)} ago. Newest:{' '}
          {group.itemIds.map((itemId, i) => (
            <>
              {i > 0 && ', '}
              <a href={linkTo(id, 'items', itemId)}>{itemId}</a>
            </>
          ))}
        </p>
        <div class="actions">
          {may('operate') && (
            <>
              <button type="button" onClick={() => void prepare('retry')}>
                Retry…
              </button>
              <button type="button" class="danger" onClick={() => void prepare('cancel')}>
                Cancel retries…
              </button>
            </>
          )}
          <DownloadButton
            label="Download"
            name={`${id}-${group.group}`}
            rows={() => failedRows(id, { group: group.group, feedId: feed })}
          />
          <a class="button" href={linkTo(id, 'items', '', { group: group.group, status: 'failed', feed })}>
            Its items
          </a>
        </div>
        <Fault error={fault.value} />
      </div>
      {asked.value !== null && (
        <Confirm
          title={`${asked.value.verb === 'retry' ? 'Retry' : 'Cancel'} ${plural(asked.value.count, 'item')}?`}
          verb={asked.value.verb === 'retry' ? `Retry ${count(asked.value.count)}` : `Cancel ${count(asked.value.count)}`}
          refuse="Leave them"
          isDangerous={asked.value.verb === 'cancel'}
          isOff={asked.value.count === 0}
          confirm={() => void act(asked.value?.verb as Verb)}
          close={() => {
            asked.value = null;
          }}
        >
          {asked.value.verb === 'retry'
            ? `They run again from ${group.stage}, where they failed.`
            : 'These items failed this way in their last attempt and wait for another one. They end as cancelled; what has failed for good stays as it is.'}
        </Confirm>
      )}
    </article>
  );
}
