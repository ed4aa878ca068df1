import type { ItemStatus, TaskEventType } from '../../schemas/item.ts';

/*
 * What happened, as a number: the low 5 bits say what, {@link FINAL} and {@link EXTRA} are flags, and above 8 bits stands the attempt
 * of a task event. A file of a durable store holds these numbers: none of them may change its meaning.
 */

export const STATUSES: readonly ItemStatus[] = ['queued', 'in_progress', 'completed', 'failed', 'retrying', 'skipped', 'cancelled'];
export const TASK_TYPES: readonly TaskEventType[] = ['start', 'complete', 'retry', 'fail', 'progress'];
export const FIRST_TASK = 8;
export const RESULT = 16;
export const PIPELINE = 17;
/** The status is the item's last one. */
export const FINAL = 32;
/** The event has something that is no number. */
export const EXTRA = 64;
export const ATTEMPT_UNIT = 2 ** 8;

export const STATUS_CODE = Object.fromEntries(STATUSES.map((status, code) => [status, code])) as Record<ItemStatus, number>;
export const TASK_CODE = Object.fromEntries(TASK_TYPES.map((type, i) => [type, FIRST_TASK + i])) as Record<TaskEventType, number>;
