import type { IncomingMessage } from 'node:http';
import type { FastifyBaseLogger, FastifyServerOptions } from 'fastify';
import { traceOf } from './request-identity.ts';

/**
 * The logger of a request, with its id and trace. It is made when something is logged: most requests of the busiest routes log nothing,
 * and a logger each would cost as much as reading their bodies.
 */
export const requestLogger: NonNullable<FastifyServerOptions['childLoggerFactory']> = (parent, bindings, options, raw) =>
  new LazyLogger(parent, () => parent.child({ ...bindings, ...traceparentOf(raw) }, options)) as unknown as FastifyBaseLogger;

/** The caller's `traceparent`, if it is valid: it stands in every log line of the request. */
function traceparentOf(raw: IncomingMessage): { traceparent?: string } {
  const trace = traceOf(raw);
  return trace === null ? {} : { traceparent: trace.traceparent };
}

const METHODS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent', 'child'] as const;

/** A logger by its methods, each of which makes the real one when it is first called. Fastify looks at all of them in each request. */
class LazyLogger {
  readonly level: string;
  private readonly make: () => FastifyBaseLogger;
  private made: FastifyBaseLogger | undefined;

  constructor({ level }: FastifyBaseLogger, make: () => FastifyBaseLogger) {
    this.level = level;
    this.make = make;
  }

  get real(): FastifyBaseLogger {
    this.made ??= this.make();
    return this.made;
  }

  static {
    for (const name of METHODS) {
      Object.defineProperty(LazyLogger.prototype, name, {
        value(this: LazyLogger, ...words: unknown[]) {
          const { real } = this;
          return (real[name] as (...words: unknown[]) => unknown).apply(real, words);
        },
      });
    }
  }
}
