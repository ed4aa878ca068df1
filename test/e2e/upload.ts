import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Reply {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for the test to assert
  body: any;
}

/** A request whose body is sent bit by bit, as NDJSON unless told otherwise. */
export class Upload {
  /** How many bytes Node took from us. It stands still when the server does not read. */
  taken = 0;
  readonly answer: Promise<Reply>;
  private readonly request;
  private isAnswered = false;

  constructor(url: string, contentType = 'application/x-ndjson') {
    this.request = request(url, { method: 'POST', agent: false, headers: { 'content-type': contentType } });
    // A server that answers early closes its side; the write error that follows says nothing new then.
    this.request.on('error', () => undefined);
    this.answer = new Promise((resolve, reject) => {
      this.request.once('response', (message: IncomingMessage) => {
        this.isAnswered = true;
        text(message).then((body) => resolve({ status: message.statusCode, headers: message.headers, body: JSON.parse(body) }), reject);
      });
      this.request.once('close', () => {
        if (!this.isAnswered) reject(new Error('the connection closed without an answer'));
      });
    });
    // Whoever hangs up does not wait for an answer.
    this.answer.catch(() => undefined);
  }

  /** Resolves when there is room for more, or nobody takes anything any more. */
  async write(data: string): Promise<void> {
    if (this.request.destroyed || this.isAnswered) return;
    const hasRoom = this.request.write(data);
    if (!hasRoom) {
      await new Promise<void>((resolve) => {
        const events = ['drain', 'close', 'response'];
        const done = (): void => {
          for (const event of events) this.request.off(event, done);
          resolve();
        };
        for (const event of events) this.request.on(event, done);
      });
    }
    this.taken += data.length;
  }

  end(): Promise<Reply> {
    this.request.end();
    return this.answer;
  }

  hangUp(): void {
    this.request.destroy();
  }
}

export function toLines(items: readonly unknown[]): string {
  return items.map((item) => `${JSON.stringify(item)}\n`).join('');
}
