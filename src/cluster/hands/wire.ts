/**
 * Messages over a WebSocket. A large one is cut into parts that other messages go between, so that a result of many megabytes holds up no beat and no abort, and no more
 * than a little of it waits in the socket.
 *
 * A text frame is an array of messages that were sent in one turn. A binary frame is a part: the number of its message (four bytes), what the part is (one byte), and
 * its bytes. Small messages may overtake large ones that were sent before them.
 */
import type { RawData, WebSocket } from 'ws';
import { CLOSE } from './protocol.ts';

/** A message of so many characters goes as one frame. */
const WHOLE_MAX = 65_536;
const PART_BYTES = 65_536;
/** No part is handed to the socket while it has more than this to send. */
const SOCKET_BYTES = 262_144;
/** The largest frame that either side sends, with room. */
export const FRAME_BYTES_MAX = 4 * WHOLE_MAX;
const HEAD_BYTES = 5;
const IS = { middle: 0, last: 1, givenUp: 2 } as const;
/** Messages that arrive in parts at one time. */
const ARRIVING_MAX = 100_000;

/** A message on its way. */
export interface Sending {
  /** Takes back what has not been sent of it. True when the other side gets nothing; false when it gets, or got, all of it. */
  cancel(): boolean;
}

export interface WireOptions {
  /** A larger message ends the connection. */
  maxMessageBytes: number;
  /** Told of the bytes of each frame. */
  traffic?: { bytesIn: number; bytesOut: number };
  onMessage(message: unknown): void;
  /** Called at each frame: the other side is alive. */
  onFrame(): void;
  /** Called once, when the connection has ended, with what is known of why. */
  onClose(code: number, reason: string): void;
}

interface Outgoing {
  readonly number: number;
  readonly bytes: Buffer;
  at: number;
}

const SENT: Sending = { cancel: () => false };

export class Wire {
  private readonly socket: WebSocket;
  private readonly options: WireOptions;
  /** Turns go round. */
  private readonly outgoing = new Set<Outgoing>();
  private readonly arriving = new Map<number, { parts: Buffer[]; bytes: number }>();
  private lastNumber = 0;
  /** Messages of this turn, with commas between. */
  private small = '';
  /** Nothing that comes after a message which broke the rules is looked at. */
  private isRefused = false;

  constructor(socket: WebSocket, options: WireOptions) {
    this.socket = socket;
    this.options = options;
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (this.isRefused) return;
      options.onFrame();
      // By default `ws` hands out one buffer a message.
      if (options.traffic !== undefined) options.traffic.bytesIn += (data as Buffer).length;
      if (isBinary) this.takePart(data as Buffer);
      else this.take(String(data));
    });
    // A fault of the connection; it is closed next.
    let fault = '';
    socket.on('error', (error) => {
      fault = error.message;
    });
    socket.once('close', (code, reason) => {
      this.outgoing.clear();
      this.arriving.clear();
      options.onClose(code, reason.toString() || fault);
    });
  }

  /** Bytes that wait to be sent. */
  get waitingBytes(): number {
    let bytes = this.socket.bufferedAmount;
    for (const { bytes: all, at } of this.outgoing) bytes += all.length - at;
    return bytes;
  }

  send(text: string): Sending {
    if (this.socket.readyState !== this.socket.OPEN) return SENT;
    if (text.length <= WHOLE_MAX) {
      if (this.small.length + text.length > WHOLE_MAX) this.flush();
      if (this.small === '') queueMicrotask(this.flush);
      this.small = this.small === '' ? text : `${this.small},${text}`;
      return SENT;
    }
    this.flush();
    this.lastNumber = (this.lastNumber + 1) % 0x1_0000_0000;
    const sending: Outgoing = { number: this.lastNumber, bytes: Buffer.from(text), at: 0 };
    this.outgoing.add(sending);
    this.pump();
    return {
      cancel: () => {
        if (!this.outgoing.delete(sending)) return false;
        if (sending.at > 0) this.write(part(sending.number, IS.givenUp, Buffer.alloc(0)));
        return true;
      },
    };
  }

  close(code: number, reason: string): void {
    this.flush();
    // Of a reason 123 bytes are let through.
    this.socket.close(code, Buffer.from(reason).subarray(0, 120).toString().replaceAll('\uFFFD', ''));
  }

  /** Ends it without the other side. */
  cut(): void {
    this.socket.terminate();
  }

  private readonly flush = (): void => {
    const { small, socket } = this;
    this.small = '';
    if (small !== '' && socket.readyState === socket.OPEN) this.write(`[${small}]`);
  };

  private readonly pump = (): void => {
    const { socket, outgoing } = this;
    while (outgoing.size > 0 && socket.readyState === socket.OPEN && socket.bufferedAmount < SOCKET_BYTES) {
      const [next] = outgoing;
      if (next === undefined) return;
      outgoing.delete(next);
      const to = Math.min(next.at + PART_BYTES, next.bytes.length);
      const isLast = to === next.bytes.length;
      const bytes = part(next.number, isLast ? IS.last : IS.middle, next.bytes.subarray(next.at, to));
      next.at = to;
      if (!isLast) outgoing.add(next);
      this.write(bytes, this.pump);
    }
  };

  private write(frame: string | Buffer, sent?: () => void): void {
    const { traffic } = this.options;
    if (traffic !== undefined) traffic.bytesOut += Buffer.byteLength(frame);
    this.socket.send(frame, sent);
  }

  private takePart(data: Buffer): void {
    if (data.length < HEAD_BYTES) {
      this.refuse(CLOSE.invalid, 'a part without a head');
      return;
    }
    const number = data.readUInt32BE(0);
    const kind = data[4];
    const { arriving } = this;
    if (kind === IS.givenUp) {
      arriving.delete(number);
      return;
    }
    const bytes = data.subarray(HEAD_BYTES);
    const message = arriving.get(number) ?? { parts: [], bytes: 0 };
    message.bytes += bytes.length;
    if (message.bytes > this.options.maxMessageBytes) {
      this.refuse(CLOSE.tooLarge, `a message of more than ${this.options.maxMessageBytes} bytes`);
      return;
    }
    message.parts.push(bytes);
    if (kind !== IS.last) {
      arriving.set(number, message);
      if (arriving.size > ARRIVING_MAX) this.refuse(CLOSE.invalid, 'too many messages at one time');
      return;
    }
    arriving.delete(number);
    this.take(Buffer.concat(message.parts, message.bytes).toString());
  }

  private take(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.refuse(CLOSE.invalid, 'a message that is not JSON');
      return;
    }
    if (!Array.isArray(message)) this.options.onMessage(message);
    else for (const one of message) if (!this.isRefused) this.options.onMessage(one);
  }

  /** Ends it because of what the other side has sent. */
  refuse(code: number, reason: string): void {
    this.isRefused = true;
    this.close(code, reason);
  }
}

function part(number: number, kind: number, bytes: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
  whole.writeUInt32BE(number, 0);
  whole[4] = kind;
  bytes.copy(whole, HEAD_BYTES);
  return whole;
}
