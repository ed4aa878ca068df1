/**
 * Client of the service, for Node, other runtimes and web pages: every operation of the API, typed (`api`), and what an OpenAPI document cannot say, which is anything
 * that lasts: uploads with backpressure, streams of events and of results, all of which go on after an interruption.
 *
 * Holds: An upload that is interrupted accepts each item once, as long as its source gives the same items again and the service has kept the feed. Events come once each and in order, or there is a `gap`.
 * Refuses: to import anything of the service but types, or of Node.
 */
import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from './api-types.ts';
import { type FeedOptions, type FeedOutcome, feed } from './feed.ts';
import { type AnyEvent, type FollowAllOptions, type FollowOptions, follow, type PipelineEvent } from './follow.ts';
import type { ItemSource } from './items.ts';
import { type ItemResult, type ResultOptions, type Row, resultRows } from './rows.ts';
import { type RunOptions, run } from './run.ts';
import { guarded, type Transport } from './transport.ts';
import { type WaitOptions, wait } from './wait.ts';

export type { components, operations, paths } from './api-types.ts';
export type { Feed, FeedCounts, FeedOptions, FeedOutcome, FeedProgress } from './feed.ts';
export type { AnyEvent, ConnectionState, FollowAllOptions, FollowOptions, PipelineEvent } from './follow.ts';
export { type ItemSource, SourceEnded } from './items.ts';
export { type JsonText, jsonText, linesOf, ndjson } from './lines.ts';
export type { Patience } from './patience.ts';
export { dataOf, type Problem, SluiceProblem, SluiceUnreachable } from './problem.ts';
export type { ItemResult, ResultOptions, Row } from './rows.ts';
export type { RunOptions } from './run.ts';
export type { WaitOptions } from './wait.ts';

export interface SluiceOptions {
  /** Where the service is, such as `http://127.0.0.1:3000`. */
  url: string;
  /** An API key, `slc_…`. */
  key?: string;
  /** In place of the global one. */
  fetch?: typeof fetch;
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>;
}

export interface Sluice {
  /** Every operation of the API, by openapi-fetch: `api.GET('/pipelines/{id}/stats', { params: { path: { id } } })` resolves with `data` or `error`. */
  readonly api: Client<paths>;
  /** Feeds a source to its end. Resolves when all of it is accepted; {@link Sluice.wait} tells when it is done. */
  feed(pipeline: string, source: ItemSource, options?: FeedOptions): Promise<FeedOutcome>;
  /** Feeds a source and yields the result of each item as it ends. */
  run(pipeline: string, source: ItemSource, options?: RunOptions): AsyncGenerator<ItemResult>;
  /** The same with the texts of the results: `{ text, value }`. */
  runTexts(pipeline: string, source: ItemSource, options?: RunOptions): AsyncGenerator<Row>;
  /** The feed when it is done, or as it is when the time is up. */
  wait(pipeline: string, feedId: string, options?: WaitOptions): Promise<components['schemas']['Feed']>;
  /** Results in feed order. */
  results(pipeline: string, options?: ResultOptions): AsyncGenerator<ItemResult>;
  /** The same as text, with the digits of integers beyond 2^53: `{ text, value }`. */
  resultTexts(pipeline: string, options?: ResultOptions): AsyncGenerator<Row>;
  /** Events of one pipeline, over any number of connections. */
  follow(pipeline: string, options?: FollowOptions): AsyncGenerator<PipelineEvent>;
  /** Events of all pipelines. */
  followAll(options?: FollowAllOptions): AsyncGenerator<AnyEvent>;
}

export function createSluice({ url, key, fetch: given, headers: others = {} }: SluiceOptions): Sluice {
  const baseUrl = new URL(url).href.replace(/\/+$/, '');
  const headers = { ...others, ...(key !== undefined && { authorization: `Bearer ${key}` }) };
  // A browser's fetch wants to be called as a method of its window.
  const fetch: typeof globalThis.fetch = given ?? ((...args) => globalThis.fetch(...args));
  const transport: Transport = { url: baseUrl, fetch, headers };
  return {
    api: createClient<paths>({ baseUrl, fetch: (request) => guarded(request.signal, () => fetch(request)), headers }),
    feed: (pipeline, source, options) => feed(transport, pipeline, source, options),
    run: (pipeline, source, options = {}) => valuesOf(run(transport, pipeline, source, options)),
    runTexts: (pipeline, source, options = {}) => run(transport, pipeline, source, options),
    wait: (pipeline, feedId, options) => wait(transport, pipeline, feedId, options),
    results: (pipeline, options = {}) => valuesOf(resultRows(transport, pipeline, options)),
    resultTexts: (pipeline, options = {}) => resultRows(transport, pipeline, options),
    follow: (pipeline, options = {}) => follow(transport, pipeline, options) as AsyncGenerator<PipelineEvent>,
    followAll: (options = {}) => follow(transport, null, options),
  };
}

async function* valuesOf(rows: AsyncGenerator<Row>): AsyncGenerator<ItemResult> {
  for await (const { value } of rows) yield value;
}
