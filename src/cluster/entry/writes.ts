import type { PipelineWrites, StoredAnswer, StoredFeed, Writes } from '../../engine/store.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { packEnds, packEvents, unpackEnds, unpackEvents } from './events.ts';
import { packItems, unpackItems } from './items.ts';

/**
 * A transaction as bytes: the same ones for the same changes. Durations in events are rounded to microseconds and instants to milliseconds, as every store
 * keeps them; everything else is as it was.
 */
export function packWrites({ pipelines, created, dropped }: Writes): Uint8Array {
  const out = new ByteWriter();
  out.number(created.length);
  for (const { pipeline, id } of created) {
    out.number(pipeline);
    out.text(id);
  }
  out.numbers(dropped);
  out.number(pipelines.length);
  for (const writes of pipelines) packPipeline(out, writes);
  return out.take();
}

/** Throws {@link EntryFault}. */
export function unpackWrites(bytes: Uint8Array): Writes {
  const from = new ByteReader(bytes);
  const created = listOf(from, () => ({ pipeline: from.number(), id: from.text() }));
  const dropped = from.numbers();
  const pipelines = listOf(from, () => unpackPipeline(from));
  from.expectEnd();
  return { pipelines, created, dropped };
}

function packPipeline(out: ByteWriter, writes: PipelineWrites): void {
  out.number(writes.pipeline);
  packItems(out, writes.items);
  out.number(writes.feeds.length);
  for (const feed of writes.feeds) packFeed(out, feed);
  out.numbers(writes.removedFeeds);
  out.number(writes.answers.length);
  for (const answer of writes.answers) packAnswer(out, answer);
  packTexts(out, writes.removedAnswers);
  packEnds(out, writes.ends);
  out.number(writes.endsBefore);
  out.numbers(writes.emptied);
  out.numbers(writes.removed);
  packEvents(out, writes.events);
  out.number(writes.eventsBefore);
  out.number(writes.parkedShift);
  out.number(writes.facts.length);
  for (const [name, json] of writes.facts) {
    out.text(name);
    out.text(json);
  }
}

/** In the order in which they are packed. */
function unpackPipeline(from: ByteReader): PipelineWrites {
  return {
    pipeline: from.number(),
    items: unpackItems(from),
    feeds: listOf(from, () => unpackFeed(from)),
    removedFeeds: from.numbers(),
    answers: listOf(from, () => unpackAnswer(from)),
    removedAnswers: listOf(from, () => from.text()),
    ends: unpackEnds(from),
    endsBefore: from.number(),
    emptied: from.numbers(),
    removed: from.numbers(),
    events: unpackEvents(from),
    eventsBefore: from.number(),
    parkedShift: from.number(),
    facts: listOf(from, () => [from.text(), from.textOrNull()]),
  };
}

function packFeed(out: ByteWriter, feed: StoredFeed): void {
  out.number(feed.ordinal);
  out.text(feed.id);
  out.number(feed.target);
  out.number(feed.created);
  out.number(feed.accepted);
  out.number(feed.duplicates);
  out.number(feed.completed);
  out.number(feed.failed);
  out.number(feed.cancelled);
  packPlace(out, feed.first);
  packPlace(out, feed.last);
  out.number(feed.is_cancelled);
  out.number(feed.is_forgotten);
  out.text(feed.maker);
  out.text(feed.traces);
}

function unpackFeed(from: ByteReader): StoredFeed {
  return {
    ordinal: from.number(),
    id: from.text(),
    target: from.number(),
    created: from.number(),
    accepted: from.number(),
    duplicates: from.number(),
    completed: from.number(),
    failed: from.number(),
    cancelled: from.number(),
    first: unpackPlace(from),
    last: unpackPlace(from),
    is_cancelled: from.number(),
    is_forgotten: from.number(),
    maker: from.textOrNull(),
    traces: from.textOrNull(),
  };
}

function packAnswer(out: ByteWriter, { key, request, body, feed, answer, at }: StoredAnswer): void {
  for (const text of [key, request, body, feed, answer]) out.text(text);
  out.number(at);
}

function unpackAnswer(from: ByteReader): StoredAnswer {
  return {
    key: from.text(),
    request: from.textOrNull(),
    body: from.text(),
    feed: from.text(),
    answer: from.textOrNull(),
    at: from.number(),
  };
}

/** A number that can be missing. */
function packPlace(out: ByteWriter, place: number | null): void {
  out.number(place === null ? 0 : 1);
  if (place !== null) out.number(place);
}

function unpackPlace(from: ByteReader): number | null {
  return from.number() === 0 ? null : from.number();
}

function packTexts(out: ByteWriter, texts: readonly string[]): void {
  out.number(texts.length);
  for (const text of texts) out.text(text);
}

function listOf<T>(from: ByteReader, read: () => T): T[] {
  return Array.from({ length: from.count() }, read);
}
