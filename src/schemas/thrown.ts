/*
 * A thrown value as plain data, for where an error object cannot go: out of a thread, and over a connection. It imports nothing, so that a thread starts without
 * loading more.
 */

export interface PlainError {
  name: string;
  message: string;
  permanent: boolean;
  retryAfterSeconds: number | undefined;
  stack: string | undefined;
  /** Members that an error is told by beside its text: see the engine's `describeThrown`. */
  told: { status?: unknown; code?: unknown; cause?: unknown; errors?: unknown };
}

/** How deep reasons go along, and how many of one error: the engine tells fewer. */
const REASONS_DEPTH = 6;
const REASONS_MAX = 100;

/** Never throws. A result that cannot be cloned is a permanent error: trying again would give the same. */
export function plainError(thrown: unknown): PlainError {
  if (typeof thrown !== 'object' || thrown === null) {
    return { name: 'NonError', message: String(thrown), permanent: false, retryAfterSeconds: undefined, stack: undefined, told: {} };
  }
  const { name, message, permanent, retryAfterSeconds, stack } = thrown as Partial<PlainError>;
  const unclonable = name === 'DataCloneError';
  return {
    name: unclonable ? 'PermanentError' : typeof name === 'string' && name !== '' ? name : 'Error',
    message: unclonable
      ? `the result cannot be sent from its thread: ${message}`
      : typeof message === 'string'
        ? message
        : JSON.stringify(thrown),
    permanent: unclonable || permanent === true,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : undefined,
    stack: typeof stack === 'string' ? stack : undefined,
    told: toldSafely(thrown),
  };
}

/** A getter that throws must not hide the error that it is a member of. */
function toldSafely(thrown: object): PlainError['told'] {
  try {
    return toldOf(thrown, 0);
  } catch {
    return {};
  }
}

function toldOf({ status, code, cause, errors }: PlainError['told'], depth: number): PlainError['told'] {
  return {
    ...(typeof status === 'number' && { status }),
    ...(typeof code === 'string' && { code }),
    ...(depth < REASONS_DEPTH && cause !== undefined && { cause: plainReason(cause, depth + 1) }),
    ...(depth < REASONS_DEPTH &&
      Array.isArray(errors) && { errors: errors.slice(0, REASONS_MAX).map((error) => plainReason(error, depth + 1)) }),
  };
}

/** An error as an object with its members; else what it is, as a text. */
function plainReason(reason: unknown, depth: number): unknown {
  if (typeof reason !== 'object' || reason === null) return String(reason);
  const { name, message } = reason as Partial<PlainError>;
  if (typeof message !== 'string') return {};
  return { name: String(name), message, ...toldOf(reason, depth) };
}
