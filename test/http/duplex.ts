import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';

/** A request over a socket whose answer is read while its body is still being sent. */
export class Duplex {
  readonly response: Promise<IncomingMessage>;
  /** Resolves when the server has begun with the request, which must say `expect: 100-continue`. */
  readonly underWay: Promise<void>;
  /** What has come so far. */
  text = '';
  ended = false;
  private readonly request: ClientRequest;
  private readonly watchers = new Set<() => void>();

  constructor(url: string, { method = 'POST', headers = {} }: { method?: string; headers?: OutgoingHttpHeaders } = {}) {
    this.request = request(url, { method, agent: false, headers });
    this.response = new Promise((resolve, reject) => {
      this.request.once('response', (message) => {
        message.setEncoding('utf8');
        message.on('data', (text: string) => {
          this.text += text;
          this.notify();
        });
        message.once('close', () => {
          this.ended = message.complete;
          this.notify();
        });
        resolve(message);
      });
      this.request.once('close', () => reject(new Error('the connection closed without an answer')));
    });
    this.response.catch(() => undefined);
    this.underWay = new Promise((resolve) => this.request.once('continue', resolve));
    // A server that answers early closes its side; the write error that follows says nothing new then.
    this.request.on('error', () => undefined);
  }

  send(text: string): void {
    this.request.write(text);
  }

  finish(text = ''): void {
    this.request.end(text);
  }

  hangUp(): void {
    this.request.destroy();
  }

  /** The lines of NDJSON that have come whole. */
  // biome-ignore lint/suspicious/noExplicitAny: what a line holds is for the test to assert
  get lines(): any[] {
    return this.text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  /** The events that have come whole: their name and their data. */
  get events(): [string, unknown][] {
    return [...this.text.matchAll(/^event: (.+)\ndata: (.*)\n\n/gm)].map(([, name, data]) => [String(name), JSON.parse(String(data))]);
  }

  /** Resolves when `check` holds; rejects when the answer has ended before. */
  until(check: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (check()) resolve();
        else if (this.ended) reject(new Error(`it ended before: ${this.text}`));
        else return;
        this.watchers.delete(look);
      };
      this.watchers.add(look);
      look();
    });
  }

  /** Resolves when the whole answer has come. */
  async whole(): Promise<IncomingMessage> {
    const message = await this.response;
    await this.until(() => this.ended);
    return message;
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}
