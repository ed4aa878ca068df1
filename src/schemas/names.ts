import { z } from 'zod';

const RESERVED = ['__proto__', 'constructor', 'prototype'];
const notReserved = (name: string): boolean => !RESERVED.includes(name);

/** Dot segments, which clients remove from every path (RFC 3986 section 5.2.4), however they are encoded. */
const NOT_DOTS = '(?![.]{1,2}$)';

const NAME = '[A-Za-z0-9._~:@-]{1,128}$';
const NAME_FAULT = 'must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -';
const STAGE_NAME = '[A-Za-z0-9._~:@ -]{1,128}$';
const STAGE_NAME_FAULT = `${NAME_FAULT} and space`;

const nameOf = (pattern: string, fault: string) =>
  z
    .string()
    .regex(new RegExp(`^${pattern}`), fault)
    .refine(notReserved, 'is a reserved name');

/** Ids of pipelines and feeds: 1 to 128 of `A-Za-z0-9._~:@-`; names that JavaScript objects own are refused, and those that no address can have. */
export const nameSchema = nameOf(NOT_DOTS + NAME, `${NAME_FAULT}, and neither . nor ..`);
/** Names of stages: as {@link nameSchema}, spaces allowed. */
export const stageNameSchema = nameOf(NOT_DOTS + STAGE_NAME, `${STAGE_NAME_FAULT}, and neither . nor ..`);

/** For lookups only: the name may come from an older version, which accepted more names. */
export const knownNameSchema = nameOf(NAME, NAME_FAULT);
export const knownStageNameSchema = nameOf(STAGE_NAME, STAGE_NAME_FAULT);

const ITEM_ID_LENGTH = 512;
/**
 * No control characters, no lone surrogates, and nothing that shows as something else than it is: format characters, among them those that
 * turn the direction of a text, and the separators of lines and paragraphs.
 */
const ITEM_ID = new RegExp(`^${NOT_DOTS}[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]{1,${ITEM_ID_LENGTH}}$`, 'u');
export const ITEM_ID_FAULT = `must be 1 to ${ITEM_ID_LENGTH} characters without control or format characters, and neither . nor ..`;

/** Whether an item may be given this id. */
export function isItemId(id: string): boolean {
  return id.length <= ITEM_ID_LENGTH && ITEM_ID.test(id);
}

/** Ids of items that are fed. */
export const itemIdSchema = z.string().regex(ITEM_ID, ITEM_ID_FAULT);
/** Ids of items that may be there already, from a version that took format characters. */
export const knownItemIdSchema = z
  .string()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule is about control characters
  .regex(/^[^\u0000-\u001f\u007f-\u009f]{1,512}$/, 'must be 1 to 512 characters without control characters');

/** An instant: RFC 3339 in UTC with milliseconds. */
export const instantSchema = z.string().meta({ format: 'date-time', examples: ['2026-11-23T17:44:00.123Z'] });

/** The id of an event: `<line>-<seq>`. */
export const eventIdSchema = z.string().meta({ examples: ['mf3k2x1a-4711'] });

export const PRIORITY_MAX = 2_097_151;
export const PRIORITY_DEFAULT = 100;

export const prioritySchema = z
  .int()
  .min(0)
  .max(PRIORITY_MAX)
  .meta({
    description:
      'Lower runs sooner. Of equal priorities, what has begun in its stage goes first, such as a retry that is due; else first come, first served.',
    examples: [100],
  });
