import type { components, PipelineEvent } from '../../client/index.ts';

type Schemas = components['schemas'];

/** Everything that a display shows: the newest snapshot, and what has happened since. */
export interface WatchState {
  readonly pipeline: string;
  readonly snapshot: Schemas['Snapshot'] | null;
  /** The state of the pipeline; null until it is known. */
  readonly state: string | null;
  /** The newest events, as text, the newest last. */
  readonly recent: readonly string[];
  /** Null while the connection is well. */
  readonly trouble: string | null;
}

const RECENT = 100;

export const initialState = (pipeline: string): WatchState => ({ pipeline, snapshot: null, state: null, recent: [], trouble: null });

/** The state after an event. */
export function after(state: WatchState, event: PipelineEvent): WatchState {
  switch (event.event) {
    case 'snapshot':
      return { ...state, snapshot: event.data };
    case 'stats':
      return { ...state, state: event.data.state };
    case 'status': {
      const { itemId, stage, status, timestamp, metadata } = event.data;
      if (!event.data.final && status !== 'retrying') return state;
      const error = 'error' in metadata ? `  ${String(metadata.error)}` : '';
      return told(state, timestamp, `${itemId}  ${stage}  ${status}${error}`);
    }
    case 'pipeline': {
      const { change, stage, timestamp, by, reason } = event.data;
      const details = [stage, reason, typeof by === 'string' ? `by ${by}` : null].filter((part) => part !== null && part !== undefined);
      return told({ ...state, state: event.data.state }, timestamp, [change, ...details].join('  '));
    }
    case 'feed':
      return told(
        state,
        event.data.timestamp,
        `feed ${event.data.feedId} done: ${event.data.completed} completed, ${event.data.failed} failed`,
      );
    case 'gap':
      return told(state, new Date().toISOString(), `${event.data.missed ?? 'some'} events were missed`);
    default:
      return state;
  }
}

function told(state: WatchState, timestamp: string, text: string): WatchState {
  return { ...state, recent: [...state.recent.slice(1 - RECENT), `${timestamp.slice(11, 19)}  ${text}`] };
}
