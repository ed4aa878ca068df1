import type { IncomingMessage } from 'node:http';

/** The most that is kept of one body, in bytes: what a JSON body may have by default. */
const KEPT_BYTES = 1024 * 1024;
/** The most that is kept of all bodies together, in bytes. */
const KEPT_BYTES_IN_ALL = 32 * 1024 * 1024;

/** Room for bodies that a node passes on and keeps meanwhile. */
export class KeptRoom {
  free: number;

  constructor(bytes = KEPT_BYTES_IN_ALL) {
    this.free = bytes;
  }
}

/**
 * A client's body that may have to be sent more than once: what was read of it is kept until somebody has taken the request on.
 *
 *     whole ──keep: more than there is room for; release──▶ parted: it can be read on, and not again
 */
export class ClientBody {
  readonly raw: IncomingMessage;
  /** Nothing comes after what is kept. */
  isOver = false;
  private readonly room: KeptRoom;
  private chunks: Buffer[] = [];
  private bytes = 0;
  private isParted = false;

  constructor(raw: IncomingMessage, room: KeptRoom) {
    this.raw = raw;
    this.room = room;
  }

  /** True while what was read so far, and what comes, are the body from its first byte. */
  get isWhole(): boolean {
    return !this.isParted;
  }

  /** The bytes that were read so far, while the body is whole. */
  get kept(): readonly Buffer[] {
    return this.chunks;
  }

  /** To be called with each chunk that is read. */
  keep(chunk: Buffer): void {
    if (this.isParted) return;
    const { length } = chunk;
    if (this.bytes + length > KEPT_BYTES || length > this.room.free) {
      this.release();
      return;
    }
    this.chunks.push(chunk);
    this.bytes += length;
    this.room.free -= length;
  }

  /** It is not sent again: nothing is kept from now on. Idempotent. */
  release(): void {
    if (this.isParted) return;
    this.isParted = true;
    this.room.free += this.bytes;
    this.bytes = 0;
    this.chunks = [];
  }
}
