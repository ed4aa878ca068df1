import { z } from 'zod';
import { instantSchema } from './names.ts';

const groupExample = {
  group: 'k3Jx0aQ9b1m2',
  type: 'PermanentError',
  stage: 'Check',
  sample: "the value does not match the schema: it must have required property 'quantity'",
  count: 1,
  firstAt: '2026-11-23T17:44:00.123Z',
  lastAt: '2026-11-23T17:44:00.123Z',
  itemIds: ['order-4712'],
};

export const errorGroupSchema = z
  .object({
    group: z.string().meta({ description: 'The id of the group, for the filter `group`. It stays the same over restarts.' }),
    type: z.string(),
    stage: z.string().meta({ description: 'The stage in which the items failed, by the name that it had then.' }),
    sample: z.string().meta({ description: 'The message of one of the newest failures; its item may run again by now.' }),
    count: z.int(),
    firstAt: instantSchema.meta({ description: 'When the first of the items failed that were in the group since it last was empty.' }),
    lastAt: instantSchema.meta({ description: 'When the newest of its items failed.' }),
    itemIds: z.array(z.string()).meta({ description: 'The newest items, at most five, the newest first.' }),
  })
  .meta({ id: 'ErrorGroup', examples: [groupExample] });
export type ErrorGroup = z.infer<typeof errorGroupSchema>;

export const errorGroupsSchema = z
  .object({
    groups: z.array(errorGroupSchema).meta({ description: 'The groups with the most items first.' }),
    otherCount: z.int().meta({ description: 'Failed items in no group that is told.' }),
  })
  .meta({ id: 'ErrorGroups', examples: [{ groups: [groupExample], otherCount: 0 }] });
export type ErrorGroups = z.infer<typeof errorGroupsSchema>;

export const groupIdSchema = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'Only items that failed with an error of this group; see `GET …/errors/groups`.', examples: ['k3Jx0aQ9b1m2'] });
