import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Payload } from './frame.ts';

/**
 * The one connection of a reader, whatever HTTP version it speaks.
 *
 * A `false` of `write` means: taken, but hold back until `onDrain`. It does not mean that the client has gone; that is `onClose`,
 * which comes once, at any time after openWire returned, also while held back and also after `end`.
 */
export interface Wire {
  write(payload: Payload): boolean;
  /** The last bytes, then the end of the response. */
  end(last: Payload): void;
  destroy(): void;
}

export interface WireEvents {
  onDrain(): void;
  onClose(): void;
}

/** The headers of every event stream. `no-transform` keeps a proxy from compressing it, `x-accel-buffering` nginx from collecting it. */
const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};

type Headers = Record<string, number | string | string[] | undefined>;

/** Sends the head and the first bytes. Null when the client is gone already: then no event would ever tell. */
export function openWire(response: ServerResponse, headers: Headers, first: string, events: WireEvents): Wire | null {
  if (response.destroyed || response.writableEnded || response.socket?.destroyed) return null;
  const isHttp1 = response.req.httpVersionMajor === 1;
  // Nothing follows on the connection of a stream that has ended: closing it with the response is what lets the server close.
  // HTTP/2 has no such field, and no socket to set options of.
  const head = { ...headers, ...STREAM_HEADERS, ...(isHttp1 ? { connection: 'close' } : {}) };
  if (isHttp1 && response.socket instanceof Socket) response.socket.setNoDelay(true);
  response.on('error', ignore);
  response.writeHead(200, withoutUndefined(head));
  response.write(first);
  const socket = chunkedSocket(response);
  return socket === undefined ? new ResponseWire(response, events) : new SocketWire(response, socket, events);
}

/**
 * The socket, when chunks may be written to it directly: Node has decided for the chunked coding (HTTP/1.1), and this response
 * is the one that the socket belongs to. One that waits for the answer to an earlier, pipelined request has no socket yet; the
 * one of a request that is injected without a network is none.
 */
function chunkedSocket(response: ServerResponse): Socket | undefined {
  const { socket } = response;
  return response.chunkedEncoding && socket instanceof Socket ? socket : undefined;
}

/**
 * Over HTTP/1.1 the chunk was framed once for all readers and goes straight to the socket: `response.write` would frame it anew, as
 * four writes, and that costs more than everything else here. Head, first bytes and end still go through the response, whose
 * writes to the socket are immediate too, so that the order holds.
 */
class SocketWire implements Wire {
  private readonly response: ServerResponse;
  private readonly socket: Socket;

  constructor(response: ServerResponse, socket: Socket, events: WireEvents) {
    this.response = response;
    this.socket = socket;
    const onDrain = (): void => events.onDrain();
    socket.on('drain', onDrain);
    response.once('close', () => {
      socket.off('drain', onDrain);
      events.onClose();
    });
  }

  write(payload: Payload): boolean {
    return this.socket.write(payload.chunk);
  }

  end(last: Payload): void {
    this.response.end(last.body);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

class ResponseWire implements Wire {
  private readonly response: ServerResponse;

  constructor(response: ServerResponse, events: WireEvents) {
    this.response = response;
    response.on('drain', () => events.onDrain());
    response.once('close', () => events.onClose());
  }

  write(payload: Payload): boolean {
    return this.response.write(payload.body);
  }

  end(last: Payload): void {
    this.response.end(last.body);
  }

  destroy(): void {
    this.response.destroy();
  }
}

function withoutUndefined(headers: Headers): Record<string, number | string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, number | string | string[]] => entry[1] !== undefined),
  );
}

/** A connection that breaks also closes, and closing is what counts. */
function ignore(): void {
  // nothing to do
}
