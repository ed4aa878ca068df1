import { HOP_HEADER, HOP_REFUSED_HEADER } from '../guards/hop.ts';

/** Headers of one connection alone (RFC 9110 section 7.6.1), beside those that `Connection` names. `expect` was answered by this node. */
const OF_CONNECTION = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'expect'],
]);

/**
 * Told to the node that has passed a request on, for that one alone, with a refusal: nothing of the request was carried out here, and none of its body was read.
 * Its value is why: {@link ENDS_HERE}, or {@link NOT_OWNED}.
 */
export const NOT_HERE_HEADER = 'sluice-not-here';
/** The node ends, and takes nothing more. */
export const ENDS_HERE = 'ends';
/** The node does not own, as far as it knows. */
export const NOT_OWNED = '1';

/** The headers that go on, name after value as Node has them, in their order. Without a body nothing is said of its length. */
export function requestHeaders(raw: readonly string[], requestId: string, hop: string, hasBody: boolean): string[] {
  const left = new Set([...OF_CONNECTION, ...namedByConnection(raw), HOP_HEADER, 'x-request-id', ...(hasBody ? [] : ['content-length'])]);
  return [...without(raw, left), 'x-request-id', requestId, HOP_HEADER, hop];
}

/** The headers of an answer that go on to the client. */
export function answerHeaders(raw: readonly string[]): string[] {
  return without(raw, new Set([...OF_CONNECTION, ...namedByConnection(raw), NOT_HERE_HEADER, HOP_REFUSED_HEADER]));
}

function without(raw: readonly string[], left: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!left.has(name.toLowerCase())) kept.push(name, raw[i + 1] as string);
  }
  return kept;
}

function namedByConnection(raw: readonly string[]): string[] {
  const names: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if ((raw[i] as string).toLowerCase() === 'connection') names.push(...(raw[i + 1] as string).toLowerCase().split(','));
  }
  return names.map((name) => name.trim());
}
