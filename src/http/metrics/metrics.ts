import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type {
  HistogramReading,
  HostMeasurements,
  PipelineHost,
  PipelineMeasurements,
  StageMeasurements,
  StoreMeasurements,
} from '../../engine/index.ts';
import type { HandMeasurements } from '../../schemas/hands.ts';
import type { ClusterView } from '../gateway/cluster-view.ts';
import type { GatewayCounts } from '../gateway/gateway.ts';
import { unreadiness } from '../gateway/readiness.ts';
import { type Caller, sees } from '../guards/caller.ts';
import type { Overload } from '../guards/overload.ts';
import type { Start } from '../guards/starting.ts';
import type { Refusals } from '../problems/refusals.ts';
import type { SseHub } from '../sse/hub.ts';
import { Exposition } from './exposition.ts';
import { LoopDelay } from './loop-delay.ts';
import { addProcess } from './process-readings.ts';
import { RequestDurations } from './request-durations.ts';

export interface MetricsDeps {
  host: PipelineHost;
  hub: SseHub;
  start: Start;
  refusals: Refusals;
  overload: Overload;
  hands: { measure(): HandMeasurements | null };
  version: string;
}

const STATES = ['created', 'running', 'paused', 'draining', 'stopped'] as const;

/** The measurements of one service as text. Nothing is kept between two readings, so any number of readers may ask, and none changes what another sees. */
export class Metrics {
  /** The node of a cluster, set once; null for a service that is none. */
  cluster: { view: ClusterView; counts: GatewayCounts } | null = null;
  private readonly deps: MetricsDeps;
  private readonly requests = new RequestDurations();
  private readonly loopDelay = new LoopDelay();

  constructor(deps: MetricsDeps) {
    this.deps = deps;
  }

  /** Counts each request from now on, and samples the event loop while the service listens. Call it before any other hook is added. */
  follow(app: FastifyInstance): void {
    this.requests.follow(app);
    app.addHook('onListen', async () => this.loopDelay.start());
    app.addHook('onClose', async () => this.loopDelay.stop());
  }

  /** Counts a request that passes no hook, since it cannot be routed. */
  followUnrouted(request: FastifyRequest, reply: FastifyReply): void {
    this.requests.followUnrouted(request, reply);
  }

  /**
   * The answer for a caller: everything, or, for a key for some pipelines, those and the limiters that they use. The process as a whole would tell
   * of the others.
   */
  async text(caller: Caller): Promise<string> {
    const { host, version } = this.deps;
    const to = new Exposition();
    to.add('sluice_build_info', [version, process.versions.node], 1);
    const measured = await host.measure();
    const pipelines = measured.pipelines.filter(({ pipelineId }) => sees(caller, pipelineId));
    const isAll = caller.pipelines === null;
    if (isAll) {
      this.addService(to, measured);
      await addProcess(to);
    }
    for (const pipeline of pipelines) addPipeline(to, pipeline);
    for (const { limiter, inUse, waiting, isHeld } of measured.limiters) {
      if (!isAll && !pipelines.some(({ limiters }) => limiters.has(limiter))) continue;
      to.add('sluice_limiter_in_use', [limiter], inUse);
      to.add('sluice_limiter_waiting', [limiter], waiting);
      to.add('sluice_limiter_held', [limiter], isHeld ? 1 : 0);
    }
    return to.text();
  }

  private addService(to: Exposition, { pipelines, store }: HostMeasurements): void {
    const { host, hub, start, refusals, overload, hands } = this.deps;
    to.add('sluice_ready', [], unreadiness(start, host, this.cluster?.view ?? null) === null ? 1 : 0);
    for (const state of STATES) to.add('sluice_pipelines', [state], pipelines.filter((pipeline) => pipeline.state === state).length);
    for (const { route, code, count } of refusals.counts()) to.add('sluice_requests_refused_total', [route, code], count);
    to.add('sluice_overloaded', [], overload.reason === null ? 0 : 1);
    to.add('sluice_sse_readers', [], hub.size);
    to.add('sluice_sse_readers_opened_total', [], hub.counts.opened);
    to.add('sluice_sse_gaps_total', [], hub.counts.gaps);
    to.add('sluice_sse_evictions_total', [], hub.counts.evictions);
    addStore(to, store, start.trouble === null);
    if (this.cluster !== null) addCluster(to, this.cluster.view, this.cluster.counts);
    const handed = hands.measure();
    if (handed !== null) addHands(to, handed);
    for (const { route, status, method, duration } of this.requests.series) {
      to.addHistogram('sluice_http_request_duration_seconds', [route, status, method], duration);
    }
    to.addHistogram('sluice_event_loop_delay_seconds', [], this.loopDelay.histogram);
  }
}

/** `couldOpen`: false while a start waits for the store. */
function addStore(to: Exposition, { kind, isUp, flushes, failedFlushes, usage }: StoreMeasurements, couldOpen: boolean): void {
  to.add('sluice_store_up', [], isUp && couldOpen ? 1 : 0);
  to.add('sluice_store_info', [kind], 1);
  if (flushes !== null) {
    to.addHistogram('sluice_store_flush_seconds', [], flushes);
    to.add('sluice_store_flush_failures_total', [], failedFlushes);
  }
  if (usage === null) return;
  for (const { file, bytes } of usage.files) to.add('sluice_store_file_bytes', [file], bytes);
  to.add('sluice_store_disk_free_bytes', [], usage.diskFreeBytes);
}

function addCluster(to: Exposition, view: ClusterView, { relayed, relaying, waiting }: GatewayCounts): void {
  for (const role of ['owner', 'follower'] as const) to.add('sluice_cluster_role', [role], view.role === role ? 1 : 0);
  to.add('sluice_cluster_serving', [], view.isServing ? 1 : 0);
  to.add('sluice_cluster_owner_known', [], view.owner === null ? 0 : 1);
  to.add('sluice_cluster_up', [], view.trouble === null ? 1 : 0);
  to.add('sluice_cluster_position', [], view.position);
  to.add('sluice_cluster_lag_seconds', [], view.lagSeconds);
  for (const [outcome, count] of Object.entries(relayed)) to.add('sluice_cluster_relayed_requests_total', [outcome], count);
  to.add('sluice_cluster_relaying_requests', [], relaying);
  to.add('sluice_cluster_waiting_requests', [], waiting);
}

function addHands(to: Exposition, { connected, ...hands }: HandMeasurements): void {
  for (const [state, count] of Object.entries(connected)) to.add('sluice_hands', [state], count);
  to.add('sluice_hand_calls_running', [], hands.running);
  to.add('sluice_hand_capacity_calls', [], hands.capacity);
  to.add('sluice_hand_calls_waiting', [], hands.waiting);
  to.add('sluice_hand_lost_total', [], hands.lost);
  to.add('sluice_hand_calls_given_again_total', [], hands.givenAgain);
  to.add('sluice_hand_calls_made_here_total', [], hands.madeHere);
  to.add('sluice_hand_received_bytes_total', [], hands.bytesIn);
  to.add('sluice_hand_sent_bytes_total', [], hands.bytesOut);
}

function addPipeline(to: Exposition, pipeline: PipelineMeasurements): void {
  const { pipelineId: id, ended } = pipeline;
  to.add('sluice_items_accepted_total', [id], pipeline.accepted);
  to.add('sluice_items_duplicate_total', [id], pipeline.duplicates);
  for (const status of ['completed', 'failed', 'cancelled'] as const) to.add('sluice_items_ended_total', [id, status], ended[status]);
  to.add('sluice_items_in_flight', [id], pipeline.inFlight);
  for (const { errorType, count } of pipeline.errors) to.add('sluice_item_errors_total', [id, errorType], count);
  to.add('sluice_handlers_ignoring_signal', [id], pipeline.handlersIgnoringSignal);
  for (const stage of pipeline.stages) addStage(to, id, stage);
}

function addStage(to: Exposition, pipeline: string, stage: StageMeasurements): void {
  const labels = [pipeline, stage.stage] as const;
  for (const [outcome, count] of Object.entries(stage.outcomes)) to.add('sluice_stage_items_total', [...labels, outcome], count);
  to.add('sluice_stage_retries_total', labels, stage.retries);
  to.add('sluice_stage_queue_items', [...labels, 'queued'], stage.queued);
  to.add('sluice_stage_queue_items', [...labels, 'retrying'], stage.retrying);
  to.add('sluice_stage_oldest_item_age_seconds', labels, stage.oldestItemAgeSeconds);
  for (const [state, count] of Object.entries(stage.workers)) to.add('sluice_stage_workers', [...labels, state], count);
  to.add('sluice_stage_paused', labels, stage.isPaused ? 1 : 0);
  to.addHistogram('sluice_stage_wait_seconds', labels, stage.wait);
  for (const { task, completed, failed } of stage.tasks) {
    // Most tasks never fail: half of the answer would be about nothing.
    if (hasAny(completed)) to.addHistogram('sluice_task_duration_seconds', [...labels, task, 'completed'], completed);
    if (hasAny(failed)) to.addHistogram('sluice_task_duration_seconds', [...labels, task, 'failed'], failed);
  }
}

function hasAny({ counts }: HistogramReading): boolean {
  return counts.some((count) => count > 0);
}
