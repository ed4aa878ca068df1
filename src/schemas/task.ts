import { z } from 'zod';

export const taskKindSchema = z.enum(['task', 'predicate', 'hook']);
export type TaskKind = z.infer<typeof taskKindSchema>;

export const taskInfoSchema = z
  .object({
    name: z.string(),
    kind: taskKindSchema,
    description: z.string(),
    paramsSchema: z.record(z.string(), z.unknown()).nullable().meta({ description: 'JSON Schema of the task’s parameters (`with`).' }),
  })
  .meta({ id: 'TaskInfo' });
export type TaskInfo = z.infer<typeof taskInfoSchema>;
