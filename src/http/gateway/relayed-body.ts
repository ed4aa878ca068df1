import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/**
 * The body of a request on its way to another node: not a byte is taken before that node asks for it, and its backpressure is the client's. When the other
 * side fails, this stream ends and the request stays as it is: an answer can still be sent, and what is left of the body be read by others.
 */
export class RelayedBody extends Readable {
  private readonly raw: IncomingMessage;
  private hasBegun = false;

  constructor(raw: IncomingMessage) {
    super({ highWaterMark: 64 * 1024 });
    this.raw = raw;
  }

  override _read(): void {
    const { raw } = this;
    if (!this.hasBegun) {
      this.hasBegun = true;
      raw.on('data', this.onChunk).once('end', this.onEnd).once('close', this.breakOff).once('error', this.breakOff);
    }
    raw.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { raw } = this;
    // A body that was paused flows for the next reader only when that asks for it, which none does.
    if (this.hasBegun) {
      raw.off('data', this.onChunk).off('end', this.onEnd).off('close', this.breakOff).off('error', this.breakOff);
      raw.pause();
    }
    callback(error);
  }

  private readonly onChunk = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.raw.pause();
  };

  private readonly onEnd = (): void => void this.push(null);

  /** A body that breaks off must not look complete to the other node either. */
  private readonly breakOff = (): void => {
    if (!this.raw.complete) this.destroy(new Error('the client broke its body off'));
  };
}
