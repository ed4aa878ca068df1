import type { ItemStatus, TaskEventType } from '../../schemas/item.ts';

/*
 * The kind of an event as a number: the low 5 bits say what happened, {@link FINAL} and {@link EXTRA} are flags, and the bits from the 9th up
 * are the attempt of a task event. Files of a durable store contain these numbers, so none of them may change its meaning.
 */

export const STATUSES: readonly ItemStatus[] = ['queued', 'in_progress', 'completed', 'failed', 'retrying', 'skipped', 'cancelled'];
export const TASK_TYPES: readonly TaskEventType[] = ['start', 'complete', 'retry', 'fail', 'progress'];
export const FIRST_TASK = 8;
export const RESULT = 16;
export const PIPELINE = 17;
export const FEED = 18;
/** Flag: the status is the item's last one. */
export const FINAL = 32;
/** Flag: the event has an extra, data that is not a number. */
export const EXTRA = 64;
export const ATTEMPT_UNIT = 2 ** 8;

export const STATUS_CODE = Object.fromEntries(STATUSES.map((status, code) => [status, code])) as Record<ItemStatus, number>;
export const TASK_CODE = Object.fromEntries(TASK_TYPES.map((type, i) => [type, FIRST_TASK + i])) as Record<TaskEventType, number>;
