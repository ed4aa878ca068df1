import type { PipelineHost } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import type { ShutdownMode } from '../../schemas/control.ts';
import type { SseHub } from '../sse/hub.ts';

/** The dependencies of every route plugin. */
export interface RouteDeps {
  host: PipelineHost;
  hub: SseHub;
  clock: Clock;
  bodyLimitBytes: number;
  shutdownTimeoutSeconds: number;
  sseHeartbeatSeconds: number;
  /** Asks the process to end; called after the reply to `POST /shutdown` is on its way. */
  requestShutdown(mode: ShutdownMode, timeoutSeconds: number): void;
}
