import { z } from 'zod';
import { instantSchema } from './names.ts';

export const operatorChangeExample = {
  at: '2026-11-23T17:44:00.123Z',
  by: 'night-shift',
  action: 'paused',
  details: { before: { state: 'running' }, after: { state: 'paused' } },
};

/** A change that somebody asked for. */
export const operatorChangeSchema = z
  .object({
    at: instantSchema,
    by: z
      .string()
      .nullable()
      .meta({ description: 'The name of an API key, or a signal such as `SIGTERM`; null for a caller without a key.' }),
    action: z.string().meta({ description: 'The `change` of the event `pipeline`.' }),
    stage: z.string().optional().meta({ description: 'Absent if the change concerns the whole pipeline.' }),
    details: z.object({ before: z.unknown(), after: z.unknown() }).meta({ description: 'What was changed, before and after.' }),
  })
  .meta({
    id: 'OperatorChange',
    examples: [operatorChangeExample],
  });
export type OperatorChange = z.infer<typeof operatorChangeSchema>;
