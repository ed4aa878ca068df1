import { ERROR_CODES, type ErrorCode, type Fault } from '../../schemas/problem.ts';
import { sizeWithin } from '../values/json-size.ts';
import { shownText } from '../values/shown-text.ts';
import { type ErrorLike, messageOf, typeOf } from './reasons.ts';

export interface SluiceErrorOptions {
  cause?: unknown;
  /** For invalid input: every fault at once. */
  errors?: Fault[];
  /** Members of the problem document beyond the standard ones. */
  details?: Record<string, unknown>;
  /** When trying again makes sense. */
  retryAfterSeconds?: number;
  /** One sentence on what can be done, where that of the catalogue does not fit. */
  fix?: string;
}

/** An error with a stable code of the catalogue in src/schemas/problem.ts; the HTTP layer maps it to a status. */
export class SluiceError extends Error {
  override name = 'SluiceError';
  readonly code: ErrorCode;
  readonly errors: Fault[] | undefined;
  readonly details: Record<string, unknown>;
  readonly retryAfterSeconds: number | undefined;
  readonly fix: string;

  constructor(code: ErrorCode, message?: string, options: SluiceErrorOptions = {}) {
    super(message ?? ERROR_CODES[code].title, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.errors = options.errors;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.fix = options.fix ?? ERROR_CODES[code].fix;
  }
}

/** The pipeline cannot do what was asked (AntFlow `PipelineError`). */
export class PipelineError extends SluiceError {
  override name = 'PipelineError';
}

/** A stage is configured wrongly; `errors` lists every fault (AntFlow `StageValidationError`). */
export class StageValidationError extends PipelineError {
  override name = 'StageValidationError';
  constructor(errors: Fault[]) {
    super('invalid-pipeline', errors.map((fault) => `${fault.path || '/'} ${fault.message}`).join('; '), { errors });
  }
}

/** The caller disconnected; everything waiting on its behalf is abandoned. */
export function callerGone(): SluiceError {
  return new SluiceError('request-timeout', 'the caller has disconnected');
}

/** The process ends, and changes nothing any more. */
export function shuttingDown(): SluiceError {
  return new SluiceError('shutting-down', 'the service is shutting down and accepts no more changes', { retryAfterSeconds: 5 });
}

/** `accepted`: how many items of the request are accepted nevertheless; they are stored as soon as that is possible. */
export function storeUnavailable(reason: string, accepted: number): SluiceError {
  return new SluiceError('store-unavailable', `the store is not writable: ${reason}`, { retryAfterSeconds: 5, details: { accepted } });
}

/** Thrown by a task: trying again is useless. Recognised by `permanent: true`, so that a task file needs no import. */
export class PermanentError extends Error {
  override name = 'PermanentError';
  readonly permanent = true;
}

/** Thrown by a task: try again after this long, whatever the stage's own wait is. Recognised by `retryAfterSeconds`. */
export class RetryAfterError extends Error {
  override name = 'RetryAfterError';
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number, message = `try again after ${retryAfterSeconds} s`) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** An attempt took longer than its `taskTimeoutSeconds`. It is retried like any other error. */
export class TaskTimeoutError extends Error {
  override name = 'TaskTimeoutError';
}

/** A task returned what cannot be kept or shown. Trying again would give the same. */
export class ValueNotJsonError extends PermanentError {
  override name = 'ValueNotJsonError';
}

/** A task returned more than can be kept or shown. Trying again would give the same. */
export class ValueTooLargeError extends PermanentError {
  override name = 'ValueTooLarge';
}

/** The reason of an abort: the item was cancelled, or the pipeline is shut down by force. */
export class AbortedError extends Error {
  override name = 'AbortedError';
}

/** The description of a thrown value: its type, its text with the reasons that it carries, and how to go on. */
export interface Thrown {
  type: string;
  message: string;
  permanent: boolean;
  retryAfterSeconds: number | undefined;
  /** The HTTP status, if the value carries one. */
  status: number | undefined;
}

/** Non-errors are allowed; nothing here throws. `mask` takes secrets out of what is shown, of which there are at most `most` characters. */
export function describeThrown(thrown: unknown, mask: (text: string) => string = (text) => text, most = ERROR_CHARACTERS): Thrown {
  const shown = (text: string, length: number): string => shownText(text, length, mask);
  try {
    if (typeof thrown === 'object' && thrown !== null) {
      const carrier = thrown as ErrorLike & { permanent?: unknown; retryAfterSeconds?: unknown; status?: unknown };
      const after = carrier.retryAfterSeconds;
      const isError = thrown instanceof Error || typeof carrier.message === 'string';
      const message = isError ? messageOf(carrier, most, shown) : shown(textOf(thrown, SHOWN_MAX * most), most);
      const type = isError ? typeOf(carrier) : 'NonError';
      return {
        type: shown(type, TYPE_MAX),
        message,
        permanent: carrier.permanent === true,
        retryAfterSeconds:
          typeof after === 'number' && Number.isFinite(after) && after >= 0 ? Math.min(after, LONGEST_WAIT_SECONDS) : undefined,
        status: isStatus(carrier.status) ? carrier.status : undefined,
      };
    }
    return {
      type: 'NonError',
      message: shown(String(thrown), most),
      permanent: false,
      retryAfterSeconds: undefined,
      status: undefined,
    };
  } catch {
    // A getter or toString of the thrown value threw in its turn.
    return {
      type: 'NonError',
      message: 'a value that cannot be displayed',
      permanent: false,
      retryAfterSeconds: undefined,
      status: undefined,
    };
  }
}

function isStatus(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 100 && (status as number) <= 599;
}

/** A thrown object that is no error, as JSON, unless that would be long, or without end. */
function textOf(thrown: object, most: number): string {
  if (sizeWithin(thrown, most) > most) return 'an object that is too large to display';
  return JSON.stringify(thrown) ?? String(thrown);
}

/** An error's text can hold a whole response body; what is kept of it is bounded. The default of `maxErrorCharacters`. */
export const ERROR_CHARACTERS = 4096;
/** A thrown object is displayed if it is no longer than so many times what is kept. */
const SHOWN_MAX = 16;
/** Types are counted by name and asked for by it, `errorType` in `POST /pipelines/:id/retry`. */
const TYPE_MAX = 200;
/** A server may ask for any wait; past a year its end is no instant that could be shown. */
const LONGEST_WAIT_SECONDS = 31_536_000;
