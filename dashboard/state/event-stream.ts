import { createParser } from 'eventsource-parser';
import { authorization } from './session.ts';

export interface StreamEvent {
  event: string;
  data: unknown;
}

export interface StreamOptions {
  url: string;
  lastEventId: string | null;
  signal: AbortSignal;
  onOpen(): void;
  /** All events of one piece that arrived, so that a burst costs one turn. */
  onEvents(events: StreamEvent[], lastEventId: string | null): void;
}

/** The service sends at least a comment every 15 s (`SSE_HEARTBEAT_SECONDS`); a line that is silent for longer than two of these is dead. */
const SILENCE_MS = 40_000;

/** The refusal of a stream: trying again at once will not help. */
export class StreamRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the event stream is refused with ${status}`);
    this.status = status;
  }
}

/**
 * Reads one connection to its end. With `fetch`, since `EventSource` sends no key. Returns when the stream has ended in order, throws when it broke or was
 * silent, and {@link StreamRefused} for an answer that is none.
 */
export async function readStream({ url, lastEventId, signal, onOpen, onEvents }: StreamOptions): Promise<void> {
  const silence = new AbortController();
  const response = await fetch(url, {
    headers: { ...authorization(), accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) },
    cache: 'no-store',
    signal: AbortSignal.any([signal, silence.signal]),
  });
  if (!response.ok || response.body === null) throw new StreamRefused(response.status);
  onOpen();
  let last = lastEventId;
  let batch: StreamEvent[] = [];
  const parser = createParser({
    onEvent: ({ event = 'message', data, id }) => {
      if (id !== undefined) last = id;
      batch.push({ event, data: JSON.parse(data) });
    },
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let timer = 0;
  const listen = (): void => {
    clearTimeout(timer);
    timer = window.setTimeout(() => silence.abort(new Error('the stream is silent')), SILENCE_MS);
  };
  try {
    for (;;) {
      listen();
      const { done, value } = await reader.read();
      if (done) return;
      // A block of an id alone is no event, and moves the point to resume from; it is whole in one line.
      for (const [, id] of value.matchAll(/(?:^|\n\n)id: ?([^\n]+)\n\n/g)) last = id as string;
      parser.feed(value);
      if (batch.length > 0 || last !== lastEventId) {
        const events = batch;
        batch = [];
        onEvents(events, last);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
