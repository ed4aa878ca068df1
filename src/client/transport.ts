import { problemOf, SluiceUnreachable } from './problem.ts';

/** The service, as the options of a client name it. */
export interface Transport {
  url: string;
  fetch: typeof fetch;
  /** Sent with every request. */
  headers: Readonly<Record<string, string>>;
}

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Sending {
  method?: string;
  query?: Query;
  headers?: Readonly<Record<string, string>>;
  body?: string | ReadableStream<Uint8Array>;
  signal?: AbortSignal | undefined;
}

/** A path of literals and ids: `path(['pipelines', id, 'feed'])`. An id may hold any characters. */
export const pathOf = (...parts: readonly string[]): string => parts.map((part) => `/${encodeURIComponent(part)}`).join('');

function queryOf(query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => [name, String(one)] as [string, string]),
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

/**
 * Sends a request and resolves with an answer that is well. Rejects with a {@link SluiceProblem} for one that is not, with
 * {@link SluiceUnreachable} when none comes, and with the reason of `signal` when that aborts.
 */
export async function send(transport: Transport, path: string, sending: Sending = {}): Promise<Response> {
  const { method = 'GET', query = {}, headers, body, signal } = sending;
  const init = {
    method,
    headers: { ...transport.headers, ...headers },
    ...(body !== undefined && { body }),
    ...(signal !== undefined && { signal }),
    // Fetch asks for it with every body that is a stream. https://fetch.spec.whatwg.org/#dom-requestinit-duplex
    ...(typeof body === 'object' && { duplex: 'half' as const }),
  };
  return guarded(signal, async () => {
    const response = await transport.fetch(transport.url + path + queryOf(query), init);
    if (response.ok) return response;
    throw await problemOf(response);
  });
}

/** Tells failures of the network from those that something else threw: `fetch` and its streams throw a TypeError for the first. */
export async function guarded<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (!(error instanceof TypeError)) throw error;
    const { cause } = error;
    const text = cause instanceof Error && cause.message !== '' ? cause.message : error.message;
    throw new SluiceUnreachable(`the service did not answer: ${text}`, { cause: error });
  }
}
