import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Between two looks at how many requests are due. */
const TICK_MS = 10;

/** Sends one request again and again, with next to no work of its own, and counts the answers by their status. */
export class Sender {
  readonly answers = new Map<number, number>();
  sent = 0;
  /** Connections that ended in the middle of an answer, or before it. */
  broken = 0;
  /** Requests a second of the last `closed`. */
  lastRate = 0;
  private readonly port: number;
  private readonly request: Buffer;

  constructor(port: number, path: string, body: string) {
    this.port = port;
    this.request = Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  /** Callers each of whom sends when it has the answer to the last. */
  async closed(callers: number, seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    const before = this.sent;
    await Promise.all(
      Array.from({ length: callers }, async () => {
        let socket = await this.connection();
        while (performance.now() < end) socket = (await this.ask(socket)) ?? (await this.connection());
        socket.destroy();
      }),
    );
    this.lastRate = (this.sent - before) / seconds;
  }

  /** So many requests a second whatever the answers are, as long as one of the connections is free. */
  async open(connections: number, perSecond: number, seconds: number): Promise<void> {
    const free = await Promise.all(Array.from({ length: connections }, () => this.connection()));
    const began = performance.now();
    const running = new Set<Promise<void>>();
    let due = 0;
    for (let now = began; now - began < seconds * 1000; now = performance.now()) {
      due = Math.min((perSecond * (now - began)) / 1000, due + perSecond);
      for (; this.sent < due && free.length > 0; ) {
        // The one that has waited longest, so that none idles until the service closes it.
        const socket = free.shift() as Socket;
        const one = this.ask(socket).then(async (kept) => {
          free.push(kept ?? (await this.connection()));
          running.delete(one);
        });
        running.add(one);
      }
      await sleep(TICK_MS);
    }
    await Promise.all(running);
    for (const socket of free) socket.destroy();
  }

  private async connection(): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  /** Gives the connection back if it can be used again. */
  private ask(socket: Socket): Promise<Socket | undefined> {
    this.sent++;
    socket.write(this.request);
    return new Promise((resolve) => {
      let text = '';
      const end = (isBroken: boolean, kept: boolean): void => {
        socket.off('data', take).off('close', lost);
        if (isBroken) this.broken++;
        if (!kept) socket.destroy();
        resolve(kept ? socket : undefined);
      };
      const lost = (): void => end(true, false);
      const take = (chunk: Buffer): void => {
        text += chunk.toString('latin1');
        const head = text.indexOf('\r\n\r\n');
        if (head === -1) return;
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
        if (text.length < head + 4 + length) return;
        const status = Number(text.slice(9, 12));
        this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
        end(false, !/\r\nconnection: close/i.test(text.slice(0, head + 2)));
      };
      socket.on('data', take).once('close', lost);
    });
  }
}
