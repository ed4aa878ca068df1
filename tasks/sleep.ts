import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { declareTask } from './kit/declaration.ts';

export const sleep = declareTask({
  name: 'sleep',
  description: 'Waits, occupying its worker, and returns the value unchanged. Cancellation or a timeout ends the wait at once.',
  params: z
    .strictObject({ seconds: z.number().min(0).max(86_400).meta({ description: 'Duration in seconds; fractions are allowed.' }) })
    .meta({ examples: [{ seconds: 0.5 }] }),
  prepare:
    ({ seconds }) =>
    (value, { signal }) =>
      delay(seconds * 1000, value, { signal }),
});
