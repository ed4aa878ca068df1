import { createParser } from 'eventsource-parser';
import { SluiceUnreachable } from './problem.ts';
import { guarded, type Sending, send, type Transport } from './transport.ts';

interface StreamOptions extends Sending {
  /** So long a stream may be silent: a comment comes every 15 s. It also tells a connection that a sleeping machine has lost. */
  silenceSeconds: number;
  /** True when the head of the answer may take any time, since it waits for the body of the request. */
  isHeadSlow?: boolean;
  onOpen?(): void;
}

/** A part of the stream. One without data is no event: it only moves the position to go on from, which is `id`. */
export interface StreamBlock {
  id?: string | undefined;
  event?: string | undefined;
  data: string | null;
}

/** The events and positions of one connection, to its end. Throws {@link SluiceUnreachable} when it is silent for too long. */
export async function* eventStream(
  transport: Transport,
  path: string,
  { silenceSeconds, isHeadSlow = false, onOpen, signal, ...sending }: StreamOptions,
): AsyncGenerator<StreamBlock> {
  const connection = new AbortController();
  const onAbort = (): void => connection.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });
  const within = <T>(work: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => connection.abort(new SluiceUnreachable(`nothing came for ${silenceSeconds} s`)), silenceSeconds * 1000);
    return work.finally(() => clearTimeout(timer));
  };
  try {
    const headers = { accept: 'text/event-stream', ...sending.headers };
    const answer = send(transport, path, { ...sending, headers, signal: connection.signal });
    const response = await (isHeadSlow ? answer : within(answer));
    const reader = response.body?.getReader();
    if (reader === undefined) throw new SluiceUnreachable('the answer has no body');
    onOpen?.();
    const blocks: StreamBlock[] = [];
    // An id is told at the end of its block, ahead of the event in it, if there is one.
    const parser = createParser({ onId: (id) => blocks.push({ id, data: null }), onEvent: (event) => blocks.push(event) });
    const decoder = new TextDecoder();
    for (;;) {
      // Only while somebody reads: a reader that is busy with an event does not make the connection silent.
      const { done, value } = await within(guarded(connection.signal, () => reader.read()));
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* blocks.splice(0);
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    connection.abort();
  }
}
