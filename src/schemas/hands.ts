import { z } from 'zod';
import { instantSchema } from './names.ts';
import { taskKindSchema } from './task.ts';

export const handViewSchema = z
  .object({
    name: z.string().meta({ description: 'Its `HAND_NAME`; a second hand of that name has a number behind it.' }),
    version: z.string().meta({ description: 'The version of Sluice that it runs.' }),
    tasks: z.array(z.string()).meta({ description: 'Tasks, predicates and hooks that it is given.' }),
    missing: z
      .array(z.string())
      .meta({ description: 'Tasks, predicates and hooks of the service that it is not given: it lacks them, or its files differ.' }),
    running: z.int().meta({ description: 'Calls that it has now, including those that were aborted and have not ended.' }),
    capacity: z.int().meta({ description: 'Calls that it takes at most at one time.' }),
    since: instantSchema.meta({ description: 'When it connected.' }),
    leaving: z.boolean().meta({ description: 'It has been asked to end: it is given no more.' }),
    fault: z.string().nullable().meta({ description: 'Why it is given less than others, or nothing; null when all is well.' }),
  })
  .meta({ id: 'Hand' });

export const waitingCallsSchema = z
  .object({
    task: z.string(),
    kind: taskKindSchema,
    calls: z.int().meta({ description: 'Calls that wait for a hand.' }),
    why: z.string(),
  })
  .meta({ id: 'WaitingCalls' });

export const handsSchema = z
  .object({
    hands: z.array(handViewSchema).meta({ description: 'The hands that are connected, in the order in which they came.' }),
    waiting: z.array(waitingCallsSchema).meta({ description: 'What waits for a hand, by its task.' }),
  })
  .meta({ id: 'Hands' });

/** Hands as a whole, counted since the process started. */
export interface HandMeasurements {
  /** Connected ones, by what they are given. */
  connected: Readonly<Record<'fit' | 'unfit' | 'leaving', number>>;
  running: number;
  capacity: number;
  waiting: number;
  lost: number;
  givenAgain: number;
  madeHere: number;
  bytesIn: number;
  bytesOut: number;
}

export type HandView = z.infer<typeof handViewSchema>;
export type WaitingCalls = z.infer<typeof waitingCallsSchema>;
export type HandsView = z.infer<typeof handsSchema>;
