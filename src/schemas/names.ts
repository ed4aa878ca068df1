import { z } from 'zod';

const RESERVED = ['__proto__', 'constructor', 'prototype'];
const notReserved = (name: string): boolean => !RESERVED.includes(name);

/** Ids of pipelines and feeds: 1 to 128 of `A-Za-z0-9._~:@-`; names that JavaScript objects own are refused. */
export const nameSchema = z
  .string()
  .regex(/^[A-Za-z0-9._~:@-]{1,128}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -')
  .refine(notReserved, 'is a reserved name');

/** Names of stages: as {@link nameSchema}, spaces allowed. */
export const stageNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9._~:@ -]{1,128}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ - and space')
  .refine(notReserved, 'is a reserved name');

/** Ids of items: 1 to 512 characters, none of them a control character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the rule is about control characters
export const ITEM_ID_PATTERN = /^[^\u0000-\u001f\u007f-\u009f]{1,512}$/;

export const itemIdSchema = z.string().regex(ITEM_ID_PATTERN, 'must be 1 to 512 characters without control characters');

/** An instant: RFC 3339 in UTC with milliseconds. */
export const instantSchema = z.string().meta({ format: 'date-time', examples: ['2026-11-23T17:44:00.123Z'] });

/** The id of an event: `<epoch>-<seq>`. */
export const eventIdSchema = z.string().meta({ examples: ['mf3k2x1a-4711'] });

export const PRIORITY_MAX = 2_097_151;
export const PRIORITY_DEFAULT = 100;

export const prioritySchema = z
  .int()
  .min(0)
  .max(PRIORITY_MAX)
  .meta({ description: 'Lower runs sooner; equal priorities run first come, first served.', examples: [100] });
