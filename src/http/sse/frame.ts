/**
 * The text of an event stream, as the HTML standard parses it (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream):
 * lines ended by CR, LF or CRLF, fields `id`, `event`, `data`, `retry`, a line that begins with a colon is a comment, a blank
 * line dispatches. JSON has no CR or LF outside of strings and escapes them in strings, so that data is always one line.
 */
import type { SluiceEvent } from '../../engine/index.ts';
import type { ControlEventName, FollowedEventName, RunEventName, SequenceEventName } from '../../schemas/messages.ts';
import { toJsonSafe } from '../schemas/safe-json.ts';

/** Milliseconds that a client waits before it reconnects. */
export const RETRY_FRAME = 'retry: 1000\n\n';

/** Ignored by every client; it keeps proxies from closing a silent connection. */
export const COMMENT_FRAME = ':\n\n';

/** Refuses what would end the line, and the empty name, which means `message` to a client. */
function eventLine(event: string): string {
  if (event === '' || /[\r\n]/.test(event)) throw new TypeError(`An event name must be one line of text, got ${JSON.stringify(event)}`);
  return `event: ${event}\n`;
}

/** An event that is not of the sequence: it carries no id, so that a client that connects again resumes where it was. */
export function controlFrame(event: ControlEventName, data: unknown): string {
  return jsonFrame(event, toJson(data));
}

/** An event without an id, whose data is written already: one line of JSON. */
export function jsonFrame(event: ControlEventName | RunEventName | FollowedEventName, json: string): string {
  return `${eventLine(event)}data: ${json}\n\n`;
}

const lines: Record<SluiceEvent['type'] & SequenceEventName, string> = {
  status: eventLine('status'),
  task: eventLine('task'),
  result: eventLine('result'),
  pipeline: eventLine('pipeline'),
  feed: eventLine('feed'),
};

/** `line`: the name of the line that the event is of. */
export function eventFrame(line: string, event: SluiceEvent): string {
  return `id: ${line}-${event.seq}\n${lines[event.type]}data: ${toJson(event.data)}\n\n`;
}

/**
 * Moves what the client will resume from, and dispatches nothing: a block without data only sets the last event id.
 * Without it a client that is cut off before its first event would resume from nowhere.
 */
export function positionFrame(line: string, seq: number): string {
  return `id: ${line}-${seq}\n\n`;
}

/** Never throws: what a task returned can hold anything, and its event still goes out. */
function toJson(data: unknown): string {
  try {
    return JSON.stringify(data) ?? 'null';
  } catch {
    return JSON.stringify(toJsonSafe(data)) ?? 'null';
  }
}

/** Bytes to send, with and without the framing of HTTP/1.1 around them; both are views of the same memory. */
export interface Payload {
  readonly body: Buffer;
  /** `body` as one chunk of the chunked transfer coding (RFC 9112 section 7.1). */
  readonly chunk: Buffer;
}

/** Makes one payload of texts and of the bodies of other payloads. At least one byte in all: an empty chunk would end the response. */
export function toPayload(parts: readonly (string | Payload)[]): Payload {
  let length = 0;
  for (const part of parts) length += typeof part === 'string' ? Buffer.byteLength(part) : part.body.length;
  if (length === 0) throw new TypeError('A payload must not be empty');
  const head = `${length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(head.length + length + 2);
  let at = chunk.write(head, 'latin1');
  for (const part of parts) at += typeof part === 'string' ? chunk.write(part, at) : part.body.copy(chunk, at);
  chunk.write('\r\n', at, 'latin1');
  return { chunk, body: chunk.subarray(head.length, at) };
}
