/*
 * Room `metrics`: what the service measures of itself and its pipelines, as the text that Prometheus reads.
 *
 * Holds:
 * 1. Nothing is counted twice: a counter stays where it is needed anyway, and is read when somebody asks.
 * 2. No label is made of an item, a feed, a worker or a message: the number of series grows with pipelines, stages, tasks, limiters and
 *    routes alone.
 * 3. A counter never falls while the process lives. A series of what is no longer there is gone.
 *
 * Refuses: to compute rates, shares or quantiles, which whoever reads can do over any time, and to look at an item.
 */

export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const counter = <const L extends readonly string[]>(help: string, ...labels: L) => ({ type: 'counter', help, labels }) as const;
const gauge = <const L extends readonly string[]>(help: string, ...labels: L) => ({ type: 'gauge', help, labels }) as const;
const histogram = <const L extends readonly string[]>(help: string, ...labels: L) => ({ type: 'histogram', help, labels }) as const;

/** Every metric that there is, in the order of the answer. Names are those that Prometheus asks for: base units, and `_total` for counters. */
export const FAMILIES = {
  sluice_build_info: gauge('Always 1; the labels say what is running.', 'version', 'node'),
  sluice_ready: gauge(
    '1 if the service takes work, as /readyz says; 0 while it starts, shuts down, its store has trouble, or a node of a cluster does not know the owner or does not serve.',
  ),
  sluice_pipelines: gauge('Pipelines by state.', 'state'),

  sluice_items_accepted_total: counter('Items that were accepted.', 'pipeline'),
  sluice_items_duplicate_total: counter('Items that were fed and not accepted, because an item had their id already.', 'pipeline'),
  sluice_items_ended_total: counter('Items that have ended, once for each time: a retried one can end again.', 'pipeline', 'status'),
  sluice_items_in_flight: gauge('Items that were accepted and have not ended.', 'pipeline'),
  sluice_item_errors_total: counter(
    'Items that have failed, by the type of the error. The types that are met most often have a series each; the others share "other".',
    'pipeline',
    'error_type',
  ),

  sluice_stage_items_total: counter('Items that have left a stage, by how.', 'pipeline', 'stage', 'outcome'),
  sluice_stage_retries_total: counter('Attempts that failed and were followed by another one.', 'pipeline', 'stage'),
  sluice_stage_queue_items: gauge(
    'Items in a stage that no worker has: queued, or retrying, which is between two attempts.',
    'pipeline',
    'stage',
    'state',
  ),
  sluice_stage_oldest_item_age_seconds: gauge(
    'How long ago the item arrived in the stage that has been there longest; 0 if there is none.',
    'pipeline',
    'stage',
  ),
  sluice_stage_workers: gauge(
    'Workers by what they do: running a task, limited (waiting for a limit or a thread), blocked (waiting for room in the next stage), or idle.',
    'pipeline',
    'stage',
    'state',
  ),
  sluice_stage_paused: gauge('1 while a stage, or its pipeline, hands out no items because it is paused.', 'pipeline', 'stage'),
  sluice_stage_wait_seconds: histogram(
    'How long items waited in a stage until their tasks ran: in the queue, and with a worker for limits and threads.',
    'pipeline',
    'stage',
  ),
  sluice_task_duration_seconds: histogram(
    'How long executions of a task took, without waits, by how they ended.',
    'pipeline',
    'stage',
    'task',
    'outcome',
  ),
  sluice_handlers_ignoring_signal: gauge(
    'Task executions that go on although they were given up, because their handler ignores its signal.',
    'pipeline',
  ),

  sluice_limiter_in_use: gauge('Executions that a shared limiter has admitted and that still run.', 'limiter'),
  sluice_limiter_waiting: gauge('Workers that wait for a shared limiter.', 'limiter'),
  sluice_limiter_held: gauge('1 while a shared limiter, or one of its keys, admits nothing because a server asked for a pause.', 'limiter'),

  sluice_requests_refused_total: counter(
    'Requests that were answered with a problem, by the template of their route ("none" where there is none) and the code of the problem.',
    'route',
    'code',
  ),
  sluice_overloaded: gauge('1 while new items are refused since the service has more to do than it can.'),
  sluice_sse_readers: gauge('Open event streams.'),
  sluice_sse_readers_opened_total: counter('Event streams that were opened.'),
  sluice_sse_gaps_total: counter('Gaps: times that a reader was told of events that it has missed.'),
  sluice_sse_evictions_total: counter('Event streams that were cut because their reader had stopped reading.'),

  sluice_store_info: gauge('Always 1; the label says where data is kept.', 'kind'),
  sluice_store_up: gauge('1 if the store can be read and written, else 0.'),
  sluice_store_flush_seconds: histogram('How long writes to the store took, repeated ones included.'),
  sluice_store_flush_failures_total: counter('Writes to the store that failed and were tried again.'),
  sluice_store_file_bytes: gauge('Sizes of the files of the store.', 'file'),
  sluice_store_disk_free_bytes: gauge('Free space on the disk of the store.'),

  sluice_cluster_role: gauge(
    '1 for the role that the node has, 0 for the other. Only with `postgres:`, as all of sluice_cluster_*.',
    'role',
  ),
  sluice_cluster_serving: gauge('1 if this node carries requests out: it owns, and has confirmed so within the lease.'),
  sluice_cluster_owner_known: gauge('1 if some node owns and is not silent, as far as this node can tell.'),
  sluice_cluster_up: gauge('1 if the node can follow the log, else 0.'),
  sluice_cluster_position: gauge('The last position of the log that the node has applied.'),
  sluice_cluster_lag_seconds: gauge('How far the node is behind the log.'),
  sluice_cluster_relayed_requests_total: counter(
    'Requests that were passed on to the owner: answered; broken, in the middle of the answer; refused, and so tried again; lost, with nothing answered; or left by the client.',
    'outcome',
  ),
  sluice_cluster_relaying_requests: gauge('Requests that are being passed on, open event streams among them.'),
  sluice_cluster_waiting_requests: gauge('Requests that wait for a node that serves.'),

  sluice_hands: gauge(
    'Hands that are connected: fit for all tasks; unfit for some or all, since their version or files differ; or leaving, and given no more.',
    'state',
  ),
  sluice_hand_calls_running: gauge('Calls that hands have, including those that were aborted and have not ended.'),
  sluice_hand_capacity_calls: gauge('Calls that the hands take at most at one time, without those that leave.'),
  sluice_hand_calls_waiting: gauge('Calls that wait for a hand.'),
  sluice_hand_lost_total: counter('Hands that were lost: their connection ended without a word, or nothing was heard of them.'),
  sluice_hand_calls_given_again_total: counter(
    'Calls that went back to those that wait, since their hand was lost or has given them back.',
  ),
  sluice_hand_calls_made_here_total: counter(
    'Calls that waited for a hand and were made in the service, since none with their task was there any more.',
  ),
  sluice_hand_received_bytes_total: counter('Bytes that came from hands.'),
  sluice_hand_sent_bytes_total: counter('Bytes that went to hands.'),

  sluice_http_request_duration_seconds: histogram(
    'How long requests took until their answer was sent. What no route takes counts as "unknown".',
    'route',
    'status',
    'method',
  ),

  sluice_event_loop_delay_seconds: histogram('By how much timers of the event loop were late, sampled 20 times a second.'),
  sluice_event_loop_active_seconds_total: counter('Time in which the event loop was busy.'),
  sluice_event_loop_idle_seconds_total: counter('Time in which the event loop waited for something to do.'),

  sluice_process_cpu_seconds_total: counter('Processor time of the process and its threads, by mode.', 'mode'),
  sluice_process_start_time_seconds: gauge('When the process started, in seconds since the Unix epoch.'),
  sluice_process_resident_memory_bytes: gauge('Resident memory of the process.'),
  sluice_process_heap_used_bytes: gauge('Used part of the heap of JavaScript.'),
  sluice_process_heap_size_bytes: gauge('Size of the heap of JavaScript.'),
  sluice_process_heap_limit_bytes: gauge('The size of the heap of JavaScript at which the process would end.'),
  sluice_process_external_memory_bytes: gauge('Memory outside the heap that objects of JavaScript hold, such as buffers.'),
  sluice_process_open_fds: gauge('Open files and sockets. Only on Linux.'),
  sluice_process_max_fds: gauge('How many files and sockets may be open at the same time. Only on Linux.'),
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof FAMILIES;

/** A value for each label of a family, in their order. */
export type LabelsOf<N extends FamilyName> = TextsFor<(typeof FAMILIES)[N]['labels']>;
type TextsFor<L extends readonly string[]> = { readonly [I in keyof L]: string };
export type NameOf<T extends Family['type']> = { [N in FamilyName]: (typeof FAMILIES)[N]['type'] extends T ? N : never }[FamilyName];
