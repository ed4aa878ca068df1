import type { PlainError } from '../../schemas/thrown.ts';
import { PermanentError, RetryAfterError } from './errors.ts';

/** The error of plain data. Clones and JSON lose an error's own properties, and with them how a task steers. */
export function revive({ name, message, permanent, retryAfterSeconds, stack, told }: PlainError): Error {
  const error =
    retryAfterSeconds !== undefined
      ? new RetryAfterError(retryAfterSeconds, message)
      : permanent
        ? new PermanentError(message)
        : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, told);
}
