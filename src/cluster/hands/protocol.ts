/*
 * The messages between an owner and its hands. Each is JSON; all texts have bounds, and whoever receives one checks it.
 *
 *     hand                                   owner
 *       ── hello: who it is, its tasks ───────▶
 *       ◀─────── welcome: epoch, beats, bounds ──
 *       ◀─────────────────────── job ───────────
 *       ── begin, status, progress, log ──────▶
 *       ── value | error | aborted | back ────▶     exactly one of them a job, unless the connection ends
 *       ◀─────────────────────── abort ─────────
 *       ── leaving ───────────────────────────▶     and is given no more
 *       ◀───────── beat, both ways ───────────▶
 *
 * The id of a job names its delivery as well, so an answer to an earlier delivery is not taken for one to a later.
 */

import { z } from 'zod';
import { taskKindSchema } from '../../schemas/task.ts';
import { type PlainError, plainError } from '../../schemas/thrown.ts';

/** Raised when a message changes so that an older side would misunderstand it. */
export const PROTOCOL = 1;
/** The subprotocol of the WebSocket (RFC 6455 section 1.9). */
/** With a 503, a node of a cluster that does not own says by this header where the owner is. */
export const OWNER_HEADER = 'sluice-owner';
export const SUBPROTOCOL = 'sluice-hands';
export const HANDS_PATH = '/hands/connect';

/** Reasons to close a connection, in the range that RFC 6455 section 7.4.2 leaves to applications. */
export const CLOSE = { goingAway: 1001, tooLarge: 1009, invalid: 4400, notAllowed: 4403, silent: 4408, otherProtocol: 4426 } as const;

const TEXT_MAX = 65_536;
const TASKS_MAX = 10_000;
const STACK_MAX = 16_384;

const idSchema = z.string().max(64);
const nameSchema = z.string().min(1).max(256);

export const errorSchema = z.object({
  name: z.string().max(TEXT_MAX),
  message: z.string().max(TEXT_MAX),
  permanent: z.boolean(),
  retryAfterSeconds: z.number().optional(),
  stack: z.string().max(STACK_MAX).optional(),
  told: z.looseObject({}),
});

/** Read before all else: a hand of another protocol is named by what all of them have. */
export const greetingSchema = z.looseObject({ t: z.literal('hello'), protocol: z.int(), name: nameSchema, version: nameSchema });

const helloSchema = z.object({
  t: z.literal('hello'),
  protocol: z.int(),
  name: nameSchema,
  version: nameSchema,
  /** Tells a process that connects again from another of its name. */
  instance: nameSchema,
  capacity: z.int().min(1).max(100_000),
  tasks: z.array(z.object({ name: nameSchema, kind: taskKindSchema, hash: nameSchema })).max(TASKS_MAX),
});

export const fromHandSchema = z.discriminatedUnion('t', [
  helloSchema,
  z.object({ t: z.literal('beat') }),
  z.object({ t: z.literal('begin'), id: idSchema }),
  z.object({ t: z.literal('status'), id: idSchema, text: z.string().max(TEXT_MAX) }),
  z.object({ t: z.literal('progress'), id: idSchema, fraction: z.number() }),
  z.object({
    t: z.literal('log'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    fields: z.looseObject({}),
    text: z.string().max(TEXT_MAX),
  }),
  z.object({ t: z.literal('value'), id: idSchema, value: z.unknown().optional() }),
  z.object({ t: z.literal('error'), id: idSchema, error: errorSchema }),
  z.object({ t: z.literal('aborted'), id: idSchema }),
  z.object({ t: z.literal('back'), id: idSchema, why: z.enum(['leaving', 'unknown-task', 'crash']) }),
  z.object({ t: z.literal('leaving') }),
]);

const useSchema = z.object({ kind: taskKindSchema, name: nameSchema, given: z.unknown().optional(), hasSecrets: z.boolean() });

export const fromOwnerSchema = z.discriminatedUnion('t', [
  z.object({
    t: z.literal('welcome'),
    protocol: z.int(),
    version: nameSchema,
    epoch: z.int(),
    beatMs: z.number().min(1),
    maxValueBytes: z.int().min(1),
  }),
  z.object({ t: z.literal('beat') }),
  z.object({
    t: z.literal('job'),
    id: idSchema,
    epoch: z.int(),
    use: useSchema,
    args: z.array(z.unknown()),
    /** Places of arguments that are errors, as plain data. */
    errors: z.array(z.int().min(0)).optional(),
    context: z.record(z.string(), z.unknown()),
  }),
  z.object({ t: z.literal('abort'), id: idSchema, reason: z.object({ name: z.string(), message: z.string() }) }),
]);

export type Hello = z.infer<typeof helloSchema>;
export type FromHand = z.infer<typeof fromHandSchema>;
export type FromOwner = z.infer<typeof fromOwnerSchema>;
export type HandTask = Hello['tasks'][number];
export type JobMessage = Extract<FromOwner, { t: 'job' }>;

/** Tasks, predicates and hooks have one space of names, but a hand may have another kind under a name. */
export function keyOf({ kind, name }: { kind: string; name: string }): string {
  return `${kind} ${name}`;
}

/** A thrown value within the bounds of a message. */
export function errorMessage(thrown: unknown): PlainError {
  const { stack, ...error } = plainError(thrown);
  const { name, message } = error;
  return { ...error, name: name.slice(0, TEXT_MAX), message: message.slice(0, TEXT_MAX), stack: stack?.slice(0, STACK_MAX) };
}

/** As an error was before its members that are undefined were left out. */
export function errorOf({ stack, retryAfterSeconds, ...error }: z.infer<typeof errorSchema>): PlainError {
  return { ...error, stack, retryAfterSeconds };
}

export function shortText(text: unknown): string {
  return String(text).slice(0, TEXT_MAX);
}
