import { PermanentError, RetryAfterError } from './errors.ts';

/** How deep reasons go along, and how many in all: {@link import('./errors.ts').describeThrown} tells fewer. */
const REASONS_DEPTH = 6;
const REASONS_MAX = 100;

/** The members that an error is told by beside its text. */
interface Told {
  status?: number;
  code?: string;
  cause?: unknown;
  errors?: unknown[];
}

/** One error on its way: the reasons of reasons count together, since they may lead back to themselves. */
interface Telling {
  mask: (text: string) => string;
  left: number;
}

/**
 * An error for a process that knows no secrets: with what it steers by (`permanent`, `retryAfterSeconds`) and what it is told by, and without the secrets in its
 * texts. Never throws.
 */
export function maskedError(error: Error, mask: (text: string) => string): Error {
  try {
    const { name, message, stack, permanent, retryAfterSeconds } = error as Error & { permanent?: unknown; retryAfterSeconds?: unknown };
    const text = mask(message);
    const masked =
      typeof retryAfterSeconds === 'number'
        ? new RetryAfterError(retryAfterSeconds, text)
        : permanent === true
          ? new PermanentError(text)
          : new Error(text);
    masked.name = name;
    masked.stack = stack === undefined ? '' : mask(stack);
    return Object.assign(masked, permanent === true && { permanent }, toldOf(error, 0, { mask, left: REASONS_MAX }));
  } catch {
    // A getter of it threw in its turn.
    return new Error('an error that cannot be displayed');
  }
}

function toldOf(error: object, depth: number, telling: Telling): Told {
  const { status, code, cause, errors } = error as { [name in keyof Told]: unknown };
  const goesOn = depth < REASONS_DEPTH;
  return {
    ...(typeof status === 'number' && { status }),
    ...(typeof code === 'string' && { code }),
    ...(goesOn && cause !== undefined && { cause: reasonOf(cause, depth + 1, telling) }),
    ...(goesOn && Array.isArray(errors) && { errors: errors.slice(0, telling.left).map((each) => reasonOf(each, depth + 1, telling)) }),
  };
}

/** An error as an object with its members; else what it is, as a text. */
function reasonOf(reason: unknown, depth: number, telling: Telling): unknown {
  const { mask } = telling;
  if (--telling.left < 0) return {};
  if (typeof reason !== 'object' || reason === null) return mask(String(reason));
  const { name, message } = reason as { name?: unknown; message?: unknown };
  if (typeof message !== 'string') return {};
  return { name: String(name), message: mask(message), ...toldOf(reason, depth, telling) };
}
