import { z } from 'zod';
import { type EventFilter, type EventSource, type EventType, SluiceError } from '../../engine/index.ts';
import { itemStatusSchema } from '../../schemas/item.ts';
import { knownItemIdSchema, knownNameSchema, knownStageNameSchema } from '../../schemas/names.ts';

/** The event types sent by default. */
const DEFAULT_TYPES: readonly EventType[] = ['status', 'pipeline', 'feed'];

const eventTypeSchema = z.enum(['status', 'task', 'result', 'pipeline', 'feed'] satisfies EventType[]);

/** Each is read by itself; who wants more wants all. */
const FOR_MOST = 100;

const REPEATABLE = 'May be repeated, or hold several separated by commas.';

export const eventQuerySchema = z.strictObject({
  types: z
    .array(eventTypeSchema)
    .optional()
    .meta({
      description: `The events to send, by default \`${DEFAULT_TYPES.join('`, `')}\`. ${REPEATABLE}`,
      examples: [['status', 'result']],
    }),
  itemId: z
    .union([knownItemIdSchema, z.array(knownItemIdSchema)])
    .optional()
    .meta({
      description:
        'Only events of this item. Repeatable or comma-separated; since an item id may itself contain commas, a value with commas matches both as a whole and by its parts.',
      examples: ['order-4711'],
    }),
  feedId: z
    .array(knownNameSchema)
    .optional()
    .meta({ description: `Only events of this feed. ${REPEATABLE}`, examples: [['my-batch-7']] }),
  stage: z
    .array(knownStageNameSchema)
    .optional()
    .meta({ description: `Only events of this stage. ${REPEATABLE}`, examples: [['Price']] }),
  status: z
    .array(itemStatusSchema)
    .optional()
    .meta({ description: `Only \`status\` events with this status. ${REPEATABLE}`, examples: [['failed', 'cancelled']] }),
  after: z
    .string()
    .optional()
    .meta({
      description: 'An event id: the events after it are replayed first. The `Last-Event-ID` header takes precedence.',
      examples: ['mf3k2x1a-4711'],
    }),
  statsSeconds: z
    .number()
    .min(0.1)
    .max(86_400)
    .optional()
    .meta({
      description:
        'Adds a `stats` event with the statistics that change, about a kilobyte for three stages, at once and at this interval in seconds, rounded as that of `snapshotSeconds`.',
      examples: [1],
    }),
  ticket: z
    .string()
    .optional()
    .meta({
      description:
        'A single-use ticket for this stream, in place of a key: `EventSource` cannot send one. See `POST …/events/tickets`. Not together with a key.',
      examples: ['slt_k3Jx0aQ9b1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A6B7C'],
    }),
  snapshotSeconds: z
    .number()
    .min(0.1)
    .max(86_400)
    .optional()
    .meta({
      description:
        'Adds a `snapshot` event with the dashboard snapshot, which lists the newest hundred failures, at once and at this interval in seconds, rounded to tenths below one second, to seconds below a minute, and to minutes above. If a snapshot takes long because the pipeline is large, the interval grows.',
      examples: [1],
    }),
});
export const allEventsQuerySchema = eventQuerySchema
  .extend({
    pipelineId: z
      .array(knownNameSchema)
      .optional()
      .meta({ description: `Only events of this pipeline. ${REPEATABLE}`, examples: [['orders']] }),
    overviewSeconds: z
      .number()
      .min(0.1)
      .max(86_400)
      .optional()
      .meta({
        description:
          'Adds an `overview` event with the overview of all pipelines, whatever the filters say, at once and at this interval in seconds, rounded as that of `snapshotSeconds`.',
        examples: [2],
      }),
    statsFor: z
      .array(knownNameSchema)
      .max(FOR_MOST)
      .optional()
      .meta({ description: `With \`statsSeconds\`: only the \`stats\` of these pipelines. ${REPEATABLE}`, examples: [['orders']] }),
    snapshotFor: z
      .array(knownNameSchema)
      .max(FOR_MOST)
      .optional()
      .meta({ description: `With \`snapshotSeconds\`: only the \`snapshot\` of these pipelines. ${REPEATABLE}`, examples: [['orders']] }),
  })
  .superRefine(({ statsFor, statsSeconds, snapshotFor, snapshotSeconds }, ctx) => {
    if (statsFor !== undefined && statsSeconds === undefined)
      ctx.addIssue({ code: 'custom', path: ['statsFor'], message: 'needs statsSeconds' });
    if (snapshotFor !== undefined && snapshotSeconds === undefined)
      ctx.addIssue({ code: 'custom', path: ['snapshotFor'], message: 'needs snapshotSeconds' });
  });

export type EventQuery = z.infer<typeof eventQuerySchema>;

/** The filter that a query asks for. */
export function toEventFilter(query: EventQuery & { pipelineId?: string[] | undefined }): EventFilter {
  const { types = DEFAULT_TYPES, pipelineId, itemId, feedId, stage, status } = query;
  return {
    types: new Set(types),
    ...(pipelineId === undefined ? {} : { pipelineId: new Set(pipelineId) }),
    ...(itemId === undefined ? {} : { itemId: new Set([itemId].flat().flatMap(idAndParts)) }),
    ...(feedId === undefined ? {} : { feedId: new Set(feedId) }),
    ...(stage === undefined ? {} : { stage: new Set(stage) }),
    ...(status === undefined ? {} : { status: new Set(status) }),
  };
}

/** `a,b` can be one id or two. Events of an item that was not meant are better than none of the one that was. */
function idAndParts(value: string): string[] {
  return value.includes(',') ? [value, ...value.split(',').filter((part) => part !== '')] : [value];
}

export interface EventPosition {
  /** The seq after which to read. */
  after: number;
  /** True when the id is not known: what was missed since cannot be counted. */
  gap: boolean;
}

/**
 * Where a reader begins: after the id that its client saw last. `Last-Event-ID` takes precedence over the query, because a browser that
 * connects again sends the header with the address it first connected to. Without an id: from now on.
 * An empty header is none (the HTML standard: a client without a last id has the empty string for it).
 * Throws `invalid-event-id` for other text.
 */
export function eventPosition(events: EventSource, header: string | undefined, query: string | undefined): EventPosition {
  const id = header === undefined || header === '' ? query : header;
  if (id === undefined) return { after: events.newest, gap: false };
  const after = knownSeq(events, parseEventId(id));
  return after === null ? { after: events.oldest - 1, gap: true } : { after, gap: false };
}

interface EventId {
  line: string;
  seq: number;
}

/**
 * The seq of an id, null when the id is not known. It is when there is its line, and that goes as far: the event that it names, and all before that, are of this sequence. One
 * beyond the end of its line, or ahead of the newest event, names an event that was lost.
 */
export function knownSeq(events: EventSource, { line, seq }: EventId): number | null {
  return seq <= events.newest && events.lines.has(line, seq) ? seq : null;
}

/** `<line>-<seq>`, to the letter: an id that is almost one is a mistake of the client that had better come to light. */
export function parseEventId(id: string): EventId {
  const read = readEventId(id);
  if (read === null) throw new SluiceError('invalid-event-id', 'An event id has the form <line>-<number>, as in the id line of an event.');
  return read;
}

/** Null for other text. */
export function readEventId(id: string): EventId | null {
  const parts = /^([A-Za-z0-9._~-]{1,64})-(0|[1-9][0-9]{0,15})$/.exec(id);
  const seq = Number(parts?.[2]);
  return parts?.[1] === undefined || !Number.isSafeInteger(seq) ? null : { line: parts[1], seq };
}
