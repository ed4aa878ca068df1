/** Hands in this process: everything goes to them and comes back as JSON, and each of their answers comes in a later turn. */
import { AbortedError, PermanentError, RetryAfterError, type TaskContext, type TaskRegistry } from '../../../src/engine/index.ts';
import { type HandJob, type HandRunner, silentLogger } from '../../../src/engine/ports.ts';
import { createValueRule } from '../../../src/engine/values/value-rule.ts';
import type { TaskKind } from '../../../src/schemas/task.ts';

export interface JsonHands extends HandRunner {
  /** `kind name` of every call, in their order. */
  readonly calls: string[];
  isThere: boolean;
}

const MAX_BYTES = 16 * 1024 * 1024;

const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** As a wire carries it: members that are undefined are gone, and so is all that JSON does not have. */
function overTheWire(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}

interface Plain {
  name: string;
  message: string;
  permanent?: boolean;
  retryAfterSeconds?: number;
}

function plainOf(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null) return { name: 'NonError', message: String(thrown) };
  const { name, message, permanent, retryAfterSeconds, status, cause } = thrown as Record<string, unknown>;
  const reason = cause === undefined ? undefined : plainOf(cause);
  const isError = typeof message === 'string';
  return {
    name: isError ? name : 'NonError',
    message: isError ? message : JSON.stringify(thrown),
    permanent,
    retryAfterSeconds,
    status,
    cause: reason,
  };
}

function errorOf(plain: unknown): Error {
  const { name, message, retryAfterSeconds, permanent, ...told } = plain as Plain;
  const error =
    retryAfterSeconds !== undefined
      ? new RetryAfterError(retryAfterSeconds, message)
      : permanent === true
        ? new PermanentError(message)
        : new Error(message);
  error.name = name;
  return Object.assign(error, told);
}

export function jsonHands(registry: TaskRegistry): JsonHands {
  const rule = createValueRule(MAX_BYTES);
  const calls: string[] = [];
  const running = new Set<AbortController>();
  let isClosed = false;

  async function call(job: HandJob, own: AbortController): Promise<unknown> {
    const { kind, name, given } = overTheWire(job.use) as { kind: TaskKind; name: string; given: unknown };
    const args = job.args.map((arg) => (arg instanceof Error ? errorOf(overTheWire(plainOf(arg))) : overTheWire(arg)));
    const told = overTheWire(job.context) as Record<string, unknown>;
    const declaration = registry.get(name, kind);
    if (declaration === undefined) throw new Error(`no ${kind} "${name}" is registered`);
    const params = declaration.parseParams(given);
    const handler = declaration.prepare?.(params) ?? declaration.run;
    await later();
    own.signal.throwIfAborted();
    calls.push(`${kind} ${name}`);
    job.onBegin();
    if (kind === 'predicate') return Boolean(await handler(...args, { ...told, params }));
    if (kind === 'hook') {
      const { pipeline, trace, ...info } = told;
      await handler(...args, info, { pipeline, trace, logger: silentLogger, params });
      return undefined;
    }
    let statusAt = Number.NEGATIVE_INFINITY;
    const context: TaskContext = {
      ...(told as unknown as TaskContext),
      params,
      signal: own.signal,
      onAbort: (listener) => own.signal.addEventListener('abort', () => listener(own.signal.reason), { once: true }),
      logger: silentLogger,
      setStatus: (text, { minIntervalSeconds = 0 } = {}) => {
        const now = performance.now();
        if (now - statusAt < minIntervalSeconds * 1000) return false;
        statusAt = now;
        job.onStatus(String(text));
        return true;
      },
      progress: (fraction) => job.onProgress(fraction),
      permanent: (message) => new PermanentError(message),
      retryAfter: (seconds, message) => new RetryAfterError(seconds, message),
    };
    const result = await handler(...args, context);
    const fault = rule.take(result);
    if (fault === null) return overTheWire(rule.plain);
    const type = fault.is === 'too-large' ? 'ValueTooLarge' : 'ValueNotJsonError';
    throw Object.assign(new PermanentError(`the stage's result ${fault.message}`), { name: type });
  }

  return {
    calls,
    isThere: true,
    isThereFor() {
      return this.isThere;
    },
    run(job, signal) {
      if (isClosed) return Promise.reject(new AbortedError('the hands are let go of'));
      if (signal.aborted) return Promise.reject(signal.reason);
      const own = new AbortController();
      running.add(own);
      return new Promise((resolve, reject) => {
        signal.addEventListener(
          'abort',
          () => {
            reject(signal.reason);
            own.abort(signal.reason);
          },
          { once: true },
        );
        own.signal.addEventListener('abort', () => reject(own.signal.reason), { once: true });
        call(job, own)
          .finally(later)
          .then(resolve, (thrown: unknown) => reject(errorOf(overTheWire(plainOf(thrown)))))
          .finally(() => running.delete(own));
      });
    },
    async close() {
      isClosed = true;
      for (const own of running) own.abort(new AbortedError('the hands are let go of'));
    },
  };
}

/** The same tasks, predicates and hooks, all of which go to hands. */
export function forHands(registry: TaskRegistry): TaskRegistry {
  return {
    list: () => registry.list(),
    get(name, kind) {
      const found = registry.get(name, kind);
      return found && { ...found, prefersHands: true };
    },
  };
}
