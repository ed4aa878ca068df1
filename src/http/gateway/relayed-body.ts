import { Readable } from 'node:stream';
import type { ClientBody } from './client-body.ts';

/**
 * The body of a request on its way to whoever carries it out: first what earlier tries have read of it, then the rest. Not a byte is taken before it is asked for, and its
 * backpressure is the client's. When the other side fails, this stream ends and the request stays as it is: an answer can still be sent, and the body be read by others,
 * from its beginning as long as it is whole.
 */
export class RelayedBody extends Readable {
  private readonly body: ClientBody;
  private readonly isLast: boolean;
  private hasBegun = false;

  /** `isLast`: nobody else will have to read the body. */
  constructor(body: ClientBody, isLast = false) {
    super({ highWaterMark: 64 * 1024 });
    this.body = body;
    this.isLast = isLast;
  }

  override _read(): void {
    const { body } = this;
    if (!this.hasBegun) {
      this.hasBegun = true;
      let isWanted = true;
      for (const chunk of body.kept) isWanted = this.push(chunk);
      if (this.isLast) body.release();
      if (body.isOver) {
        this.push(null);
        return;
      }
      body.raw.on('data', this.onChunk).once('end', this.onEnd).once('close', this.breakOff).once('error', this.breakOff);
      if (!isWanted) return;
    }
    if (!body.isOver) body.raw.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { raw } = this.body;
    if (this.hasBegun) {
      raw.off('data', this.onChunk).off('end', this.onEnd).off('close', this.breakOff).off('error', this.breakOff);
      // A body that was paused flows for the next reader only when that asks for it. After the last one, what still comes is thrown away.
      if (!this.isLast) raw.pause();
    }
    callback(error);
  }

  private readonly onChunk = (chunk: Buffer): void => {
    this.body.keep(chunk);
    if (!this.push(chunk)) this.body.raw.pause();
  };

  private readonly onEnd = (): void => {
    this.body.isOver = true;
    this.push(null);
  };

  /** A body that breaks off must not look complete to the other node either. */
  private readonly breakOff = (): void => {
    if (!this.body.raw.complete) this.destroy(new Error('the client broke its body off'));
  };
}
