import { connect, type Socket } from 'node:net';

/** One answer, as it came over the wire. */
export interface RawAnswer {
  status: number;
  headers: ReadonlyMap<string, string>;
  body: Buffer;
  /** False while more of it is to come. */
  complete: boolean;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const CRLF = '\r\n';

/**
 * Reads answers by the letter of RFC 9112. Throws at the first byte that cannot stand where it stands; an answer whose end is missing
 * is there with `complete: false`. `methods` are those of the requests, in order.
 */
export function parseAnswers(bytes: Buffer, methods: readonly string[], isClosed: boolean): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    const [statusLine = '', ...lines] = bytes.toString('latin1', at, headEnd === -1 ? bytes.length : headEnd).split(CRLF);
    if (headEnd === -1) {
      if (!'HTTP/1.1 '.startsWith(statusLine.slice(0, 9))) throw new Error(`no status line: ${statusLine}`);
      break;
    }
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [\t -~]*$/.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) throw new Error(`no status line: ${statusLine}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^:]*):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (!TOKEN.test(name)) throw new Error(`no header field: ${line}`);
      if (headers.has(name.toLowerCase())) throw new Error(`twice: ${line}`);
      headers.set(name.toLowerCase(), value);
    }
    at = headEnd + 4;
    if (status < 200) continue;
    const { body, next, complete } = readBody(bytes, at, status, headers, methods[answers.length] ?? 'GET', isClosed);
    answers.push({ status, headers, body, complete });
    if (!complete) break;
    at = next;
  }
  return answers;
}

function readBody(bytes: Buffer, at: number, status: number, headers: ReadonlyMap<string, string>, method: string, isClosed: boolean) {
  const none = { body: Buffer.alloc(0), next: at, complete: true };
  if (method === 'HEAD' || status === 204 || status === 304) return none;
  const length = headers.get('content-length');
  if (headers.get('transfer-encoding') === 'chunked') {
    if (length !== undefined) throw new Error('both a length and chunks');
    return readChunks(bytes, at);
  }
  if (length === undefined) return { body: bytes.subarray(at), next: bytes.length, complete: isClosed };
  if (!/^\d+$/.test(length)) throw new Error(`no length: ${length}`);
  const next = at + Number(length);
  return { body: bytes.subarray(at, next), next, complete: next <= bytes.length };
}

function readChunks(bytes: Buffer, from: number): { body: Buffer; next: number; complete: boolean } {
  const parts: Buffer[] = [];
  const cut = (next: number) => ({ body: Buffer.concat(parts), next, complete: false });
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf(CRLF, at);
    if (lineEnd === -1) return cut(at);
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`no chunk: ${line}`);
    const size = Number.parseInt(line, 16);
    const start = lineEnd + 2;
    const end = start + size;
    parts.push(bytes.subarray(start, end));
    if (end + 2 > bytes.length) return cut(at);
    if (bytes.toString('latin1', end, end + 2) !== CRLF) throw new Error('a chunk is longer than it says');
    at = end + 2;
    if (size === 0) return { body: Buffer.concat(parts), next: at, complete: true };
  }
}

/** A client that writes what it is told to, whether it is HTTP or not. */
export class RawClient {
  closed = false;
  readonly socket: Socket;
  private readonly methods: readonly string[];
  private readonly watchers = new Set<() => void>();
  private chunks: Buffer[] = [];

  private constructor(socket: Socket, methods: readonly string[]) {
    this.socket = socket;
    this.methods = methods;
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.notify();
    });
    socket.on('end', () => socket.end());
    // What breaks also closes.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.notify();
    });
  }

  /** `methods` are those of the requests that will be sent: of HEAD the answer has no body. */
  static async open(port: number, methods: readonly string[]): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket, methods);
  }

  /** All that came. */
  get bytes(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] as Buffer;
  }

  get answers(): RawAnswer[] {
    return parseAnswers(this.bytes, this.methods, this.closed);
  }

  get complete(): RawAnswer[] {
    return this.answers.filter(({ complete }) => complete);
  }

  send(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** Says that nothing more will come. */
  halfClose(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Resolves when so many answers are here; rejects when the connection closes before. */
  answered(count = 1): Promise<RawAnswer[]> {
    return this.until(() => this.complete.length >= count).then(() => this.complete);
  }

  until(check: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        let holds: boolean;
        try {
          holds = check();
        } catch (error) {
          this.watchers.delete(look);
          reject(error as Error);
          return;
        }
        if (!holds && !this.closed) return;
        this.watchers.delete(look);
        if (holds) resolve();
        else reject(new Error(`the connection closed after ${JSON.stringify(this.bytes.toString('latin1').slice(0, 500))}`));
      };
      this.watchers.add(look);
      look();
    });
  }

  async ended(): Promise<void> {
    await this.until(() => this.closed);
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}
