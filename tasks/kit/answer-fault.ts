import { z } from 'zod';
import { PermanentError } from '../../src/engine/index.ts';

export const retryableSchema = z.boolean().default(false).meta({
  description:
    'Whether a failure is retried as the stage defines, for a value that another attempt may make: with `retry: per_stage` after a request in the same stage, which is then sent again.',
});

/** The fault of a value that a server or a model has made: asked again, it may make another. */
class AnswerFault extends Error {
  override name = 'InvalidAnswer';
}

/** The failure of a task that does the same each time: final, unless what it was given may be another the next time. */
export function answerFault(message: string, retryable: boolean): Error {
  return retryable ? new AnswerFault(message) : new PermanentError(message);
}
