import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { callerGone, type PipelineHost, SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import { hasBody } from '../bodies/unread-body.ts';
import { Intake } from './intake.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes new items, so it is held back, or refused, while the service has more to do than it can. */
    takesItems?: boolean;
  }
}

/**
 * Whether the service has more to do than it can. Who measures says so; who takes new items asks.
 *
 *     fits ──say(reason)──▶ overloaded: new items are refused, uploads that have begun pause ──say(null)──▶ fits
 */
export class Overload {
  /** Names that of which there is too much, in words; null when all is well. */
  reason: string | null = null;
  /** Looks at what may change from one request to the next; set by who measures. */
  look: () => void = () => undefined;
  private pausing: (() => void)[] = [];

  say(reason: string | null): void {
    this.reason = reason;
    if (reason !== null) return;
    const { pausing } = this;
    this.pausing = [];
    for (const goOn of pausing) goOn();
  }

  /** Resolves when it is over; undefined while all is well. */
  over(): Promise<void> | undefined {
    this.look();
    if (this.reason === null) return undefined;
    return new Promise((resolve) => this.pausing.push(resolve));
  }
}

/** A request that brings items waits so long for its turn. */
const PATIENCE_MS = 5000;
/** Bodies up to this many bytes are read although nobody wants them: that costs less than another connection for the next request. */
const SMALL_BODY_BYTES = 64 * 1024;
/** The longest wait that a refusal asks for; so that callers who are refused together do not come back together, one comes after a second, the next after two, and so on up to this. */
const RETRY_SECONDS = 3;

/**
 * Holds back requests that bring new items, so that they share each turn of the event loop with the pipelines, and refuses them while the service is
 * overloaded; before their bodies are read. All other requests are answered. Call it before the routes are registered.
 */
export function holdNewItems(app: FastifyInstance, overload: Overload, { host, clock }: { host: PipelineHost; clock: Clock }): void {
  const intake = new Intake(clock);
  let refused = 0;

  function refusal(reason: string): SluiceError {
    const retryAfterSeconds = 1 + (refused++ % RETRY_SECONDS);
    const { stackTraceLimit } = Error;
    // Where it comes from is no news, and a sixth of what it costs.
    Error.stackTraceLimit = 0;
    try {
      return new SluiceError('overloaded', `the service has more to do than it can: ${reason}`, { retryAfterSeconds });
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  function fault(request: FastifyRequest, waitedMs: number): SluiceError | undefined {
    if (request.raw.socket?.destroyed) return callerGone();
    if (waitedMs > 0 && host.shuttingDown) return new SluiceError('shutting-down');
    overload.look();
    if (overload.reason !== null) return refusal(overload.reason);
    if (waitedMs > PATIENCE_MS) return refusal(`requests with items wait ${(waitedMs / 1000).toFixed(1)} s for their turn`);
    // Its items would be read for nothing. When there is time, they are: all of them may be known.
    return intake.isBusy && isFull(host, request) ? new SluiceError('queue-full', 'the backlog has no room') : undefined;
  }

  const hold: onRequestHookHandler = (request, _reply, done) => {
    intake.let((waitedMs) => {
      const error = fault(request, waitedMs);
      if (error === undefined || !isSmall(request)) {
        done(error);
        return;
      }
      request.raw.resume();
      setImmediate(done, error);
    });
  };
  app.addHook('onRoute', (route) => {
    if (route.config?.takesItems === true) route.onRequest = [route.onRequest ?? [], hold].flat();
  });
  // Whoever waits would keep the service from ending.
  app.addHook('preClose', async () => {
    overload.say(null);
    intake.letAllIn();
  });
}

/** Whether a pipeline has no room for anything, and the request does not want to wait for it. */
function isFull(host: PipelineHost, request: FastifyRequest): boolean {
  const { wait } = request.query as { wait?: unknown };
  if (wait !== undefined) return false;
  try {
    host.get((request.params as { id: string }).id).gauge({})([null]);
    return false;
  } catch (error) {
    return error instanceof SluiceError && error.code === 'queue-full';
  }
}

function isSmall({ raw }: FastifyRequest): boolean {
  return hasBody(raw) && raw.headers['transfer-encoding'] === undefined && Number(raw.headers['content-length']) <= SMALL_BODY_BYTES;
}
