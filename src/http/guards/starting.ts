import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { callerGone, type PipelineHost, SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route answers while the service starts: always, or to the requests that it says. */
    whileStarting?: boolean | ((request: FastifyRequest) => boolean);
  }
}

/**
 * The start of a service that listens already.
 *
 *     goes on ◀──▶ waits (`trouble`)        ──finish──▶ over: every route answers for itself
 *        └───────────┴──────────────────────cutShort──▶ ended: nothing will be answered but that
 */
export class Start {
  /** True once items may run. */
  isOver = false;
  /** Why the store cannot be opened now; null when the start goes on. */
  trouble: string | null = null;
  /** Resolves when it is over or has ended. */
  readonly ended: Promise<void>;
  private end: () => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  finish(): void {
    this.isOver = true;
    this.end();
  }

  /** It came to nothing, or the service is asked to stop. Idempotent. */
  cutShort(): void {
    this.end();
  }
}

/** A start takes a fraction of a second, unless there are millions of items to look at. */
const PATIENCE_MS = 5000;

/**
 * Holds requests that arrive while the service starts, their bodies unread, until it is ready: a client that connects as soon as the port is
 * open is answered as usual. After five seconds, and at once while the start cannot go on, they are refused with `starting`. Call it before the
 * routes are registered.
 */
export function holdWhileStarting(app: FastifyInstance, start: Start, { host, clock }: { host: PipelineHost; clock: Clock }): void {
  if (start.isOver) return;
  const hold: onRequestHookHandler = (request, _reply, done) => {
    const { raw, routeOptions } = request;
    const { whileStarting = false } = routeOptions.config;
    if (start.isOver || whileStarting === true || (whileStarting !== false && whileStarting(request))) {
      done();
      return;
    }
    if (host.shuttingDown || troubleOf(start, host) !== null) {
      done(notReady(start, host));
      return;
    }
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      clock.clearTimer(late);
      if (raw.socket.destroyed) done(callerGone());
      else done(start.isOver ? undefined : notReady(start, host));
    };
    const late = clock.setTimer(release, PATIENCE_MS);
    void start.ended.then(release);
  };
  app.addHook('onRequest', hold);
}

/** Why the store cannot be opened or written; null when all is well. */
export function troubleOf(start: Start, { storeHealth }: PipelineHost): string | null {
  return start.trouble ?? storeHealth.trouble;
}

/** The answer to a request that comes before the service is ready. */
export function notReady(start: Start, host: PipelineHost): SluiceError {
  const trouble = troubleOf(start, host);
  const why = trouble === null ? 'the service is starting' : `the service is starting; the store is not writable: ${trouble}`;
  return new SluiceError('starting', why, { retryAfterSeconds: trouble === null ? 1 : 5 });
}
