import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { SluiceUnreachable } from './problem.ts';
import { guarded, type Sending, send, type Transport } from './transport.ts';

interface StreamOptions extends Sending {
  /** So long a stream may be silent: a comment comes every 15 s. It also tells a connection that a sleeping machine has lost. */
  silenceSeconds: number;
  onOpen(): void;
}

/** The messages of one connection, to its end. Throws {@link SluiceUnreachable} when it is silent for too long. */
export async function* eventStream(transport: Transport, path: string, { silenceSeconds, onOpen, signal, ...sending }: StreamOptions) {
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
    const response = await within(send(transport, path, { ...sending, headers, signal: connection.signal }));
    const reader = response.body?.getReader();
    if (reader === undefined) throw new SluiceUnreachable('the answer has no body');
    onOpen();
    const messages: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (message) => messages.push(message) });
    const decoder = new TextDecoder();
    for (;;) {
      // Only while somebody reads: a reader that is busy with an event does not make the connection silent.
      const { done, value } = await within(guarded(connection.signal, () => reader.read()));
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* messages.splice(0);
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    connection.abort();
  }
}
