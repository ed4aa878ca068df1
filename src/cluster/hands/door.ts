/** Where hands come in: upgrades their requests to WebSockets, checks what they say of themselves, and has the pool know them. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Clock, type Logger, unref } from '../../engine/ports.ts';
import type { Member } from './member.ts';
import type { HandPool } from './pool.ts';
import { CLOSE, type FromHand, type FromOwner, fromHandSchema, greetingSchema, type Hello, PROTOCOL, SUBPROTOCOL } from './protocol.ts';
import { FRAME_BYTES_MAX, Wire } from './wire.ts';

export interface HandDoorOptions {
  pool: HandPool;
  clock: Clock;
  logger: Logger;
  version: string;
  epoch: () => number;
  beatMs: number;
  maxValueBytes: number;
}

/** So long after it has connected a hand must have said who it is. */
const GREETING_MS = 10_000;
/** So long a connection that is closed may take to end. */
const END_MS = 1000;
/** Beside its value a message has an id, or an error, or fields of a log line. */
const BESIDE_VALUE_BYTES = 1_048_576;

export class HandDoor {
  private readonly options: HandDoorOptions;
  private readonly server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    handleProtocols: (protocols) => (protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  private readonly open = new Set<WebSocket>();

  constructor(options: HandDoorOptions) {
    this.options = options;
  }

  /** Takes over a request that was let in. `isAllowed` is asked at each beat. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, isAllowed: () => boolean): void {
    this.server.handleUpgrade(request, socket, head, (webSocket) => this.greet(webSocket, isAllowed));
  }

  /** Ends all connections, and takes new ones: the hands go to whoever owns now. */
  letGo(reason: string): void {
    this.options.pool.letGo();
    for (const socket of this.open) socket.close(CLOSE.goingAway, reason);
  }

  /** Ends all connections, within a second. */
  async close(): Promise<void> {
    await this.options.pool.close();
    const { clock } = this.options;
    await Promise.all(
      [...this.open].map(
        (socket) =>
          new Promise<void>((resolve) => {
            const late = clock.setTimer(() => socket.terminate(), END_MS);
            socket.once('close', () => {
              clock.clearTimer(late);
              resolve();
            });
            socket.close(CLOSE.goingAway, 'the service ends');
          }),
      ),
    );
  }

  private greet(socket: WebSocket, isAllowed: () => boolean): void {
    const { pool, clock, logger, version, epoch, beatMs, maxValueBytes } = this.options;
    this.open.add(socket);
    let member: Member | null = null;
    const refuse = (code: number, reason: string): void => {
      wire.refuse(code, reason);
      unref(clock.setTimer(() => wire.cut(), END_MS));
    };
    const late = clock.setTimer(() => refuse(CLOSE.invalid, 'it has not said who it is'), GREETING_MS);
    const wire = new Wire(socket, {
      maxMessageBytes: maxValueBytes + BESIDE_VALUE_BYTES,
      traffic: pool.counts,
      onFrame: () => {
        if (member !== null) member.silentBeats = 0;
      },
      onMessage: (message) => {
        const said = member === null ? readHello(message) : readMessage(message);
        if (typeof said === 'string') {
          logger.warn({ hand: member?.name ?? null, fault: said }, 'a hand is refused');
          refuse(member === null ? CLOSE.otherProtocol : CLOSE.invalid, said);
        } else if (member !== null) pool.receive(member, said);
        else {
          clock.clearTimer(late);
          wire.send(
            JSON.stringify({ t: 'welcome', protocol: PROTOCOL, version, epoch: epoch(), beatMs, maxValueBytes } satisfies FromOwner),
          );
          member = pool.join(said as Hello, {
            send: (text) => wire.send(text),
            close: (code, reason) => wire.close(code, reason),
            cut: () => wire.cut(),
            isAllowed,
          });
        }
      },
      onClose: (code, reason) => {
        clock.clearTimer(late);
        this.open.delete(socket);
        if (member !== null) pool.lost(member, reason || `its connection has ended (${code})`);
      },
    });
  }
}

/** A hello, or what is wrong with it. */
function readHello(message: unknown): Hello | string {
  const greeting = greetingSchema.safeParse(message);
  if (!greeting.success) return 'the first message is not a hello';
  const { protocol, version, name } = greeting.data;
  if (protocol !== PROTOCOL) return `the hand ${name} (Sluice ${version}) speaks protocol ${protocol}, and this is ${PROTOCOL}`;
  const read = readMessage(message);
  return typeof read === 'string' ? read : (read as Hello);
}

function readMessage(message: unknown): FromHand | string {
  const read = fromHandSchema.safeParse(message);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  return `a message is not valid: ${issue?.path.join('.')} ${issue?.message}`;
}
