/**
 * The limits: variables that bound what callers, definitions and tasks can take, what is answered at the edge of each, and the values in force
 * as one record. The section "Limits" of docs/configuration.md is generated from {@link LIMITS}.
 */
import { z } from 'zod';
import type { RequestRate } from './schemas/request-rate.ts';
import { integer, optionalRate } from './variable.ts';

/** The limits that are nothing but limits; others, such as `BODY_LIMIT_BYTES`, stand among the variables in config.ts. */
export const limitVariables = {
  MAX_STREAMS: integer(
    1,
    1_000_000,
    10_000,
    'Maximum number of streams that are open at once: event streams, streamed runs, and results that are followed.',
  ),
  MAX_STREAMS_PER_KEY: integer(
    1,
    1_000_000,
    1000,
    'Maximum number of open streams of the keys of one name, also of those opened with a ticket.',
  ),
  MAX_TICKETS_PER_KEY: integer(1, 100_000, 1000, 'Maximum number of unused tickets for event streams of the keys of one name.'),
  MAX_REQUESTS_PER_KEY: optionalRate(
    'Requests that the keys of one name may send in so many seconds, such as `600/60`; unlimited without it. A key’s own `;requests=100/60` goes before it. Answers carry `RateLimit-Policy` and `RateLimit`.',
  ),
  MAX_CONNECTIONS: integer(
    1,
    1_000_000,
    20_000,
    'Maximum number of connections. One more is closed at once, without an answer, and the log says so. Event streams and health checks need one each.',
  ),
  MAX_ITEMS_PER_REQUEST: integer(
    1,
    10_000_000,
    100_000,
    'Maximum number of items in a JSON body of feed and run. NDJSON has no such limit.',
  ),
  MAX_DEFINITION_BYTES: integer(1024, 134_217_728, 1_048_576, 'Maximum size of a definition, as JSON in UTF-8.', 'bytes'),
  MAX_FEEDS: integer(
    1,
    1_000_000,
    10_000,
    'Number of feeds that a pipeline keeps. Beyond it the oldest done ones are forgotten; unfinished ones are always kept.',
  ),
  MAX_LIMITER_KEYS: integer(
    1,
    10_000_000,
    100_000,
    'Number of keys that a keyed limiter tells apart at once; keys on top of them share one limit.',
  ),
  MAX_ERROR_CHARACTERS: integer(
    100,
    65_536,
    4096,
    'Number of characters that are kept of the text of an item’s error, its reasons among them. What `jsonata` and `json_schema` say is never longer than 4000.',
    'characters',
  ),
  MAX_IDEMPOTENCY_KEYS: integer(
    1,
    10_000_000,
    10_000,
    'Number of `Idempotency-Key`s that a pipeline keeps with their answers, for a day and 64 MiB at most. Beyond it the oldest are forgotten.',
  ),
};

/** The values of all limits. Sizes are in bytes unless the name says otherwise. */
export interface Limits {
  bodyLimitBytes: number;
  maxValueBytes: number;
  maxDefinitionBytes: number;
  maxItemsPerRequest: number;
  maxStreams: number;
  maxStreamsPerKey: number;
  maxTicketsPerKey: number;
  /** Unlimited, when absent. */
  maxRequestsPerKey: RequestRate | undefined;
  maxConnections: number;
  maxPipelines: number;
  maxStages: number;
  maxWorkersPerStage: number;
  maxWorkers: number;
  backlogCapacity: number;
  maxFeeds: number;
  maxLimiterKeys: number;
  maxIdempotencyKeys: number;
  /** In characters. */
  maxErrorCharacters: number;
  eventsKept: number;
}

/** Each limit by its variable: its name in {@link Limits}, what it bounds, and what happens beyond. In the order of the documentation. */
export const LIMITS = {
  MAX_CONNECTIONS: { name: 'maxConnections', of: 'connections', beyond: 'closed without an answer, and a warning in the log' },
  MAX_REQUESTS_PER_KEY: {
    name: 'maxRequestsPerKey',
    of: 'requests of a key in a time',
    beyond: '429 `too-many-requests` with `Retry-After`',
  },
  MAX_STREAMS: { name: 'maxStreams', of: 'open streams in all', beyond: '429 `too-many-streams` with `Retry-After`' },
  MAX_STREAMS_PER_KEY: { name: 'maxStreamsPerKey', of: 'open streams of a key', beyond: '429 `too-many-streams` with `Retry-After`' },
  MAX_TICKETS_PER_KEY: { name: 'maxTicketsPerKey', of: 'unused tickets of a key', beyond: '429 `too-many-tickets` with `Retry-After`' },
  BODY_LIMIT_BYTES: { name: 'bodyLimitBytes', of: 'a JSON body, a line of NDJSON', beyond: '413 `body-too-large`, 400 `line-too-large`' },
  MAX_ITEMS_PER_REQUEST: { name: 'maxItemsPerRequest', of: 'items in a JSON body', beyond: '413 `too-many-items`; nothing is accepted' },
  MAX_VALUE_BYTES: {
    name: 'maxValueBytes',
    of: 'an item with its metadata, a task’s result',
    beyond: '413 `value-too-large`; a result fails its item (`ValueTooLarge`)',
  },
  BACKLOG_CAPACITY: { name: 'backlogCapacity', of: 'items that wait in a pipeline', beyond: '429 `queue-full` with `Retry-After`' },
  MAX_DEFINITION_BYTES: { name: 'maxDefinitionBytes', of: 'a definition', beyond: '422 `invalid-pipeline`' },
  MAX_PIPELINES: { name: 'maxPipelines', of: 'pipelines', beyond: '422 `invalid-pipeline`' },
  MAX_STAGES: { name: 'maxStages', of: 'stages of a pipeline', beyond: '422 `invalid-pipeline`' },
  MAX_WORKERS_PER_STAGE: { name: 'maxWorkersPerStage', of: 'workers of a stage', beyond: '422 `invalid-pipeline`' },
  MAX_WORKERS: { name: 'maxWorkers', of: 'workers in all', beyond: '422 `invalid-pipeline`' },
  MAX_FEEDS: { name: 'maxFeeds', of: 'feeds of a pipeline', beyond: 'the oldest done ones are forgotten: 404 `feed-not-found`' },
  MAX_LIMITER_KEYS: { name: 'maxLimiterKeys', of: 'keys of a limiter', beyond: 'further keys share one limit, `(others)`' },
  MAX_IDEMPOTENCY_KEYS: {
    name: 'maxIdempotencyKeys',
    of: 'answers under `Idempotency-Key`s',
    beyond: 'the oldest are forgotten; repeating such a request feeds its unnamed items again',
  },
  MAX_ERROR_CHARACTERS: { name: 'maxErrorCharacters', of: 'the text of an item’s error', beyond: 'cut off' },
  EVENTS_KEPT: { name: 'eventsKept', of: 'events of a pipeline for replay', beyond: 'the oldest are forgotten: `event: gap`' },
} as const satisfies Record<string, { name: keyof Limits; of: string; beyond: string }>;

/** The defaults of the variables here, for who builds a service without an environment. */
export const DEFAULT_LIMITS = limitValues(z.object(limitVariables).parse({}));

type Variables = z.output<z.ZodObject<typeof limitVariables>>;

/** The values of the variables here by their names in {@link Limits}. */
export function limitValues(values: Variables): Pick<Limits, (typeof LIMITS)[keyof Variables]['name']> {
  const names = Object.keys(limitVariables) as (keyof Variables)[];
  // Each name has the value of its variable, which no type of the platform says of entries.
  return Object.fromEntries(names.map((variable) => [LIMITS[variable].name, values[variable]])) as never;
}
