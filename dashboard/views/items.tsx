import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import { Fault } from '../parts/fault.tsx';
import { LongTable } from '../parts/long-table.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import type { Column } from '../parts/table.tsx';
import { TypedField } from '../parts/typed-field.tsx';
import { at, count, plural } from '../parts/words.ts';
import { address, linkTo, replaceQuery } from '../state/address.ts';
import { ask, path } from '../state/api.ts';
import { epoch } from '../state/live-data.ts';
import type { ItemSummary, PipelineDetail } from '../state/types.ts';

const STATUSES = ['queued', 'in_progress', 'retrying', 'failed', 'completed', 'cancelled'];
const PAGE = 200;
/** A page that searches may hold few rows or none: it ends after so many looks. So many are asked for in a row before one is asked whether to go on. */
const SEARCHES = 20;
/** A filter that is typed is applied when the typing rests. */
const REST_MS = 300;

interface Filter {
  status: string;
  stage: string;
  feed: string;
  q: string;
  errorType: string;
  group: string;
  attempts: string;
}

function filterOf(query: URLSearchParams): Filter {
  const get = (name: string): string => query.get(name) ?? '';
  return {
    status: get('status'),
    stage: get('stage'),
    feed: get('feed'),
    q: get('q'),
    errorType: get('errorType'),
    group: get('group'),
    attempts: get('attempts'),
  };
}

/** Items, the newest first, by any of what is known of them. */
export function Items({ pipeline: { id, definition } }: { pipeline: PipelineDetail }) {
  const filter = filterOf(address.value.query);
  const key = JSON.stringify(filter);
  const rows = useSignal<readonly ItemSummary[]>([]);
  const cursor = useSignal<string | null>(null);
  const isLoading = useSignal(true);
  const error = useSignal<Error | null>(null);
  const turn = useSignal(0);
  const life = useRef(new AbortController());

  const load = useCallback(
    async (after: string | null): Promise<void> => {
      const { signal } = life.current;
      isLoading.value = true;
      const { status, stage, feed, q, errorType, group, attempts } = JSON.parse(key) as Filter;
      const query = { order: 'desc', limit: PAGE, status, stage, q, errorType, group, feedId: feed, minAttempts: attempts };
      try {
        let next = after;
        let added = 0;
        if (after === null) rows.value = [];
        for (let i = 0; i < SEARCHES && added < PAGE / 4; i++) {
          const found = await ask<{ items: ItemSummary[]; nextCursor: string | null }>(path`/pipelines/${id}/items`, {
            query: { ...query, ...(next !== null && { cursor: next }) },
            signal,
          });
          added += found.items.length;
          rows.value = [...rows.value, ...found.items];
          next = found.nextCursor;
          cursor.value = next;
          if (next === null) break;
        }
        error.value = null;
      } catch (thrown) {
        if (!signal.aborted) error.value = thrown as Error;
      }
      if (!signal.aborted) isLoading.value = false;
    },
    [id, key, cursor, error, isLoading, rows],
  );

  const missed = epoch.value;
  const asked = turn.value;
  // Also when events were missed, or somebody asked.
  useEffect(() => {
    life.current = new AbortController();
    const { current } = life;
    void load(null);
    return () => current.abort();
  }, [load, missed, asked]);

  const more = useCallback(() => {
    if (cursor.value !== null && !isLoading.value && error.value === null) void load(cursor.value);
  }, [load, cursor, error, isLoading]);

  const columns: Column<ItemSummary>[] = [
    {
      name: 'Item',
      cell: (item) => (
        <a class="clip" href={linkTo(id, 'items', item.id)}>
          {item.id}
        </a>
      ),
    },
    { name: 'Status', cell: ({ status }) => <StateMark state={status} /> },
    { name: 'Stage', cell: ({ stage }) => stage },
    { name: 'Attempts', isNumber: true, cell: ({ totalAttempts }) => count(totalAttempts) },
    { name: 'Changed', isNumber: true, cell: ({ updatedAt }) => at(updatedAt, true) },
    {
      name: 'Feed',
      cell: ({ feedId }) => (
        <a class="clip" href={linkTo(id, 'feeds', feedId)}>
          {feedId}
        </a>
      ),
    },
    { name: 'Error', cell: ({ error: own, lastError }) => <span class="clip wide muted">{(own ?? lastError)?.message ?? ''}</span> },
  ];
  return (
    <>
      <Filters key={id} filter={filter} stages={definition.stages.map(({ name }) => name)} />
      <div class="head list-head">
        <p class="muted" role="status">
          {isLoading.value
            ? 'Loading…'
            : cursor.value === null
              ? plural(rows.value.length, 'item')
              : `The newest ${count(rows.value.length)}`}
        </p>
        {cursor.value !== null && !isLoading.value && (
          <button type="button" class="quiet" onClick={more}>
            Search further
          </button>
        )}
        <button
          type="button"
          class="quiet"
          onClick={() => {
            turn.value++;
          }}
        >
          Reload
        </button>
      </div>
      <Fault error={error.value} />
      {rows.value.length > 0 && (
        <LongTable label="Items" columns={columns} rows={rows.value} keyOf={({ sequenceId }) => String(sequenceId)} onEnd={more} />
      )}
      {!isLoading.value && rows.value.length === 0 && cursor.value === null && error.value === null && (
        <div class="card empty muted">No item fits.</div>
      )}
    </>
  );
}

function Filters({ filter, stages }: { filter: Filter; stages: readonly string[] }) {
  const cleared = useSignal(0);
  const change = (changed: Partial<Filter>): void => replaceQuery('items', changed);
  const clear = (): void => {
    // What is being typed goes, too.
    cleared.value++;
    change(filterOf(new URLSearchParams()));
  };
  const isFiltered = Object.values(filter).some((value) => value !== '');
  return (
    <div class="fields filters" key={cleared.value}>
      <TypedField
        label="Id or message"
        kind="search"
        value={filter.q}
        placeholder="contains…"
        restMs={REST_MS}
        change={(q) => change({ q })}
      />
      <label>
        Status
        <select value={filter.status} onChange={({ currentTarget }) => change({ status: currentTarget.value })}>
          <option value="">all</option>
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {status.replace('_', ' ')}
            </option>
          ))}
        </select>
      </label>
      <label>
        Stage
        <select value={filter.stage} onChange={({ currentTarget }) => change({ stage: currentTarget.value })}>
          <option value="">all</option>
          {stages.map((stage) => (
            <option key={stage}>{stage}</option>
          ))}
        </select>
      </label>
      <TypedField label="Feed" value={filter.feed} placeholder="any" change={(feed) => change({ feed })} />
      <TypedField label="Type of error" value={filter.errorType} placeholder="any" change={(errorType) => change({ errorType })} />
      <TypedField label="Attempts, at least" kind="number" value={filter.attempts} change={(attempts) => change({ attempts })} />
      {isFiltered && (
        <button type="button" class="quiet" onClick={clear}>
          Clear
        </button>
      )}
      {filter.group !== '' && <p class="muted small count">Only failures of one group</p>}
    </div>
  );
}
