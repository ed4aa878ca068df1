import type { components } from './api-types.ts';
import { eventStream } from './event-stream.ts';
import { createAttempts, type Patience, sleep } from './patience.ts';
import { isPassing, SluiceUnreachable } from './problem.ts';
import { pathOf, type Transport } from './transport.ts';

type Schemas = components['schemas'];

/** An event of one pipeline, told apart by `event`. */
export type PipelineEvent = Schemas['EventMessage'];
/** An event of the stream of all pipelines. */
export type AnyEvent = Schemas['AnyEventMessage'];

export type ConnectionState =
  | { state: 'connecting' }
  | { state: 'open' }
  /** The connection is lost; another one is tried after `retryInSeconds`. */
  | { state: 'waiting'; error: Error | null; retryInSeconds: number };

export interface FollowOptions {
  /** By default `status`, `pipeline` and `feed`. */
  types?: ('status' | 'task' | 'result' | 'pipeline' | 'feed')[];
  itemId?: string | string[];
  feedId?: string | string[];
  stage?: string | string[];
  status?: Schemas['ItemStatus'][];
  /** The id of an event, or an `asOf`: all that came after it is sent first. */
  after?: string;
  /** Adds statistics at this interval. */
  statsSeconds?: number;
  /** Adds snapshots at this interval. */
  snapshotSeconds?: number;
  /** Further members of the query. */
  query?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** Ends the stream: the loop over it ends as if it had come to its end. */
  signal?: AbortSignal;
  onState?: (state: ConnectionState) => void;
  /** So long the stream may be silent before another connection is tried. Default 45: three comments that did not come. */
  silenceSeconds?: number;
  /** Waits between connections. Without `giveUpSeconds` for ever. */
  patience?: Patience;
}

/** Options for the stream of all pipelines. */
export interface FollowAllOptions extends FollowOptions {
  /** Only events of these pipelines. */
  pipelineId?: string | string[];
  /** Adds an overview of all pipelines at this interval. */
  overviewSeconds?: number;
  /** Only these pipelines have statistics, or snapshots. */
  statsFor?: string[];
  snapshotFor?: string[];
}

/** A `gap` of the client: the connection broke before it had said where it is, so there is no id to go on from. */
const GAP = { event: 'gap', data: { missed: null, oldest: '' } } as const;

/**
 * Events over any number of connections, each once and in order. A stream that ends, with `bye` too, is opened again after the last event; only a refusal ends it,
 * a pipeline that was removed for instance, or `signal`.
 */
export async function* follow(
  transport: Transport,
  pipeline: string | null,
  { signal, onState, silenceSeconds = 45, patience = {}, after, query: others = {}, ...query }: FollowAllOptions,
): AsyncGenerator<AnyEvent> {
  const path = pipeline === null ? '/events' : pathOf('pipelines', pipeline, 'events');
  const attempts = createAttempts({ giveUpSeconds: Number.POSITIVE_INFINITY, ...patience });
  let last = after;
  let isFirst = true;
  while (!signal?.aborted) {
    onState?.({ state: 'connecting' });
    let failure: SluiceUnreachable | Error | null = null;
    try {
      const position = last === undefined ? {} : { after: last };
      const messages = eventStream(transport, path, {
        query: { ...others, ...query, ...position },
        silenceSeconds,
        signal,
        onOpen() {
          onState?.({ state: 'open' });
        },
      });
      for await (const { id, event, data } of messages) {
        if (!isFirst && last === undefined) {
          yield GAP;
          isFirst = true;
        }
        if (data !== null || id !== last) attempts.progress();
        last = id ?? last;
        // The service moves the position past events that the filter keeps from us.
        if (data === null) continue;
        yield { ...(id !== undefined && { id }), event, data: JSON.parse(data) } as AnyEvent;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!isPassing(error)) throw error;
      failure = error;
    }
    isFirst = false;
    const retryInSeconds = attempts.delaySeconds(failure ?? new SluiceUnreachable('the stream has ended'));
    onState?.({ state: 'waiting', error: failure, retryInSeconds });
    await sleep(retryInSeconds, signal).catch(() => undefined);
  }
}
