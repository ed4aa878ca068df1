/*
 * Room `routing`: what several routes share: lists and cursors, streams of rows, idempotency, access to feeds.
 *
 * Holds: A streamed answer is one row at a time with backpressure, and ends with what went wrong, if anything did.
 * Refuses: to be a route: paths, methods and descriptions are in `routes/`.
 */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PipelineHost } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import type { ShutdownMode } from '../../schemas/control.ts';
import type { HandMeasurements, HandsView } from '../../schemas/hands.ts';
import type { ClusterView } from '../gateway/cluster-view.ts';
import type { Caller } from '../guards/caller.ts';
import type { Overload } from '../guards/overload.ts';
import type { Start } from '../guards/starting.ts';
import type { StreamRoom } from '../guards/stream-room.ts';
import type { Tickets } from '../guards/tickets.ts';
import type { Upgrade } from '../guards/upgrades.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { BuiltPage } from '../page/built-page.ts';
import type { Refusals } from '../problems/refusals.ts';
import type { SseHub } from '../sse/hub.ts';

/** The hands of this process, as routes see them. */
export interface HandDesk {
  view(): HandsView;
  /** null: none may connect. */
  measure(): HandMeasurements | null;
  /** Takes over a connection that asked for a WebSocket. `isAllowed` is asked again and again. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, isAllowed: () => boolean): void;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** The dependencies of every route plugin. */
export interface RouteDeps {
  host: PipelineHost;
  hub: SseHub;
  metrics: Metrics;
  /** The refusals so far, counted by route and code. */
  refusals: Refusals;
  tickets: Tickets;
  streams: StreamRoom;
  hands: HandDesk;
  /** The connection of a request for a WebSocket. Throws `upgrade-required` for any other. */
  upgradeOf(request: FastifyRequest, reply: FastifyReply): Upgrade;
  /** Whether the key of a caller that was let in still is in force. */
  isCallerStillAllowed(caller: Caller): boolean;
  clock: Clock;
  start: Start;
  overload: Overload;
  /** This node of a cluster; null for a service that is none. */
  cluster: ClusterView | null;
  /** The page for browsers; null where it was not built. */
  page: BuiltPage | null;
  /** Whether requests for data need a key. */
  needsKey: boolean;
  /** Version of Sluice. */
  version: string;
  /** Limits in force, for `GET /info`. */
  limits: Readonly<Record<string, number>>;
  bodyLimitBytes: number;
  /** The most items of a JSON body. */
  maxItemsPerRequest: number;
  /** How long an NDJSON body may pause. */
  uploadIdleSeconds: number;
  shutdownTimeoutSeconds: number;
  sseHeartbeatSeconds: number;
  /** Asks the process to end; called after the reply to `POST /shutdown` is on its way. `by`: the name of the key, null without one. */
  requestShutdown(mode: ShutdownMode, timeoutSeconds: number, by: string | null): void;
}
