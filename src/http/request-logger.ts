import type { FastifyBaseLogger, FastifyServerOptions } from 'fastify';
import { traceOf } from './request-identity.ts';

/**
 * The logger of a request, with its id and trace. It is made when something is logged: most requests of the busiest routes log nothing,
 * and a logger each would cost as much as reading their bodies.
 */
export const requestLogger: NonNullable<FastifyServerOptions['childLoggerFactory']> = (parent, bindings, options, raw) => {
  let made: FastifyBaseLogger | undefined;
  const logger = (): FastifyBaseLogger => {
    const child = made ?? parent.child({ ...bindings, ...traceOf(raw.headers) }, options);
    made = child;
    return child;
  };
  return new LazyLogger(logger, parent);
};

class LazyLogger implements FastifyBaseLogger {
  private readonly logger: () => FastifyBaseLogger;
  private readonly parent: FastifyBaseLogger;

  constructor(logger: () => FastifyBaseLogger, parent: FastifyBaseLogger) {
    this.logger = logger;
    this.parent = parent;
  }

  get level(): string {
    return this.parent.level;
  }
  get fatal(): FastifyBaseLogger['fatal'] {
    return methodOf(this.logger(), 'fatal');
  }
  get error(): FastifyBaseLogger['error'] {
    return methodOf(this.logger(), 'error');
  }
  get warn(): FastifyBaseLogger['warn'] {
    return methodOf(this.logger(), 'warn');
  }
  get info(): FastifyBaseLogger['info'] {
    return methodOf(this.logger(), 'info');
  }
  get debug(): FastifyBaseLogger['debug'] {
    return methodOf(this.logger(), 'debug');
  }
  get trace(): FastifyBaseLogger['trace'] {
    return methodOf(this.logger(), 'trace');
  }
  get silent(): FastifyBaseLogger['silent'] {
    return methodOf(this.logger(), 'silent');
  }
  child: FastifyBaseLogger['child'] = (bindings, options) => this.logger().child(bindings, options);
}

function methodOf<Name extends 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'>(
  logger: FastifyBaseLogger,
  name: Name,
): FastifyBaseLogger[Name] {
  return logger[name].bind(logger) as FastifyBaseLogger[Name];
}
