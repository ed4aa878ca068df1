import type { Attack } from './attack.ts';
import type { KnownPipeline } from './known.ts';
import type { Operation } from './openapi.ts';

export interface FuzzRequest {
  operation: Operation;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: Buffer | null;
  /** What it is meant to be: `plausible`, `broken`, or the name of an attack. */
  aim: string;
  /** The one that it is meant for. */
  pipeline: KnownPipeline | null;
  /** Of a request with a definition: what its items are to be. */
  attack: Attack | null;
  /** After so long the client hangs up; null when it waits for the answer. */
  patienceMs: number | null;
}

export interface Reply {
  status: number;
  headers: Record<string, string | undefined>;
  body: Buffer;
}

export interface Client {
  /** null: the client hung up before the reply was whole. */
  ask(request: Pick<FuzzRequest, 'method' | 'url' | 'headers' | 'body' | 'patienceMs'>): Promise<Reply | null>;
  /** Of a socket on which event streams can be read. */
  port: number;
}

/** For the message of a failure: what to send to see it again. */
export function tell({ method, url, headers, body, aim }: FuzzRequest): string {
  const text = body === null ? '' : ` ${body.length > 600 ? `${body.subarray(0, 600)}… (${body.length} bytes)` : body}`;
  return `[${aim}] ${method} ${url} ${JSON.stringify(headers)}${text}`;
}

/** Without the query, and as a client that resolves `..` sends it. */
export function pathOf(url: string): string {
  return new URL(`http://host${url}`).pathname;
}
