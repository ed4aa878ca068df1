/**
 * A hand: keeps one connection to its owner, and makes the calls that come over it.
 *
 *     connecting ──open, `hello`, `welcome`──▶ working ──leave──▶ leaving ──nothing runs, or time is up──▶ over
 *         ▲                                      │
 *         └──a while, drawn at random──── lost ◀─┘  closed, or nothing heard for three beats: all calls are aborted
 */
import { WebSocket } from 'ws';
import { type Clock, type Logger, unref } from '../../engine/ports.ts';
import { handLogger } from './hand-logger.ts';
import { fromOwnerSchema, HANDS_PATH, type HandTask, OWNER_HEADER, PROTOCOL, SUBPROTOCOL } from './protocol.ts';
import { FRAME_BYTES_MAX, Wire } from './wire.ts';
import { type WorkOptions, WorkSession } from './work-session.ts';

export interface HandOptions extends Omit<WorkOptions, 'logger'> {
  /** Where owners are, `http:` or `https:`; they are tried in turn. */
  urls: readonly string[];
  key: string | undefined;
  name: string;
  version: string;
  /** Different in each process. */
  instance: string;
  capacity: number;
  tasks: readonly HandTask[];
  clock: Clock;
  random: () => number;
  /** For the hand's own lines. They hold no value, no parameter and no error of a task. */
  logger: Logger;
}

/** Pauses between attempts to connect are drawn from 0 to this, which doubles each time. */
const PAUSE_MS = { first: 200, most: 10_000 };
const CONNECT_MS = 10_000;
const SILENT_BEATS = 3;
/** Messages from the owner have no other bound than what one text can be. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;
/** While more than this waits to be sent, lines of the log, status and progress are left out. */
const FULL_BYTES = 8 * 1024 * 1024;
const END_MS = 1000;

export class Hand {
  private readonly options: HandOptions;
  /** For tasks: lines go to the owner, and are lost while there is none, since they may hold what must not be shown here. */
  readonly taskLogger: Logger;
  private wire: Wire | null = null;
  private session: WorkSession | null = null;
  /** That of the owner that has welcomed it last. */
  private epoch = 0;
  private failures = 0;
  private tries = 0;
  /** Where a node of a cluster has said that the owner is. */
  private directedTo: string | null = null;
  private silentBeats = 0;
  private beats: unknown;
  private pause: unknown;
  private isLeaving = false;
  private left: () => void = () => undefined;

  constructor(options: HandOptions) {
    this.options = options;
    this.taskLogger = handLogger((line) => this.say(JSON.stringify(line), true));
  }

  get isConnected(): boolean {
    return this.session !== null;
  }

  get running(): number {
    return this.session?.running ?? 0;
  }

  start(): void {
    this.connect();
  }

  /**
   * A node says that another ownership has begun. An owner whose machine is gone does not say that it is one no longer: without this the hand would wait for it for three
   * beats, and nobody would make the calls of the new one meanwhile.
   */
  ownedBy(epoch: number): void {
    const { wire, session } = this;
    if (wire === null || this.isLeaving || (session !== null && this.epoch === epoch)) return;
    this.options.logger.info({ epoch }, 'another node owns the pipelines; the hand goes there');
    this.failures = 0;
    wire.cut();
  }

  /** Takes nothing more, lets what runs end, and gives back what has not ended in time. Called again with less time, it is given that. */
  async leave(timeoutMs: number): Promise<void> {
    const { clock } = this.options;
    const { session, wire } = this;
    this.takeNoMore();
    if (wire === null) return;
    const ended = new Promise<void>((resolve) => {
      const before = this.left;
      this.left = () => {
        before();
        resolve();
      };
    });
    const late = clock.setTimer(() => session?.giveBack('leaving', 'the hand ends'), timeoutMs);
    if (session !== null) await session.whenIdle();
    clock.clearTimer(late);
    wire.close(1000, 'the hand has ended its work');
    const cut = clock.setTimer(() => wire.cut(), END_MS);
    await ended;
    clock.clearTimer(cut);
  }

  /** Says that what ran beside a call that has ended the process is not to blame; resolves when the owner has been told. */
  async crash(id: string | undefined, error: unknown): Promise<void> {
    const { session, wire } = this;
    if (session === null || wire === null || id === undefined) return;
    this.takeNoMore();
    session.fail(id, error);
    session.giveBack('crash', 'another call has ended the process');
    await this.leave(0);
  }

  private takeNoMore(): void {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.options.clock.clearTimer(this.pause);
    this.wire?.send('{"t":"leaving"}');
    if (this.session !== null) this.session.isLeaving = true;
  }

  private connect(): void {
    const { urls, key, logger, clock } = this.options;
    const url = this.directedTo ?? (urls[this.tries++ % urls.length] as string);
    this.directedTo = null;
    let why = '';
    const socket = new WebSocket(socketUrl(url), SUBPROTOCOL, {
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES_MAX,
      handshakeTimeout: CONNECT_MS,
      headers: { 'user-agent': `sluice-hand/${this.options.version}`, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    });
    socket.once('unexpected-response', (_request, response) => {
      why = `it answers ${response.statusCode}${this.adviceFor(response.statusCode)}`;
      const owner = String(response.headers[OWNER_HEADER] ?? '');
      if (URL.canParse(owner) && /^https?:$/.test(new URL(owner).protocol)) this.directedTo = owner;
      response.resume();
      socket.terminate();
    });
    const wire = new Wire(socket, {
      maxMessageBytes: MESSAGE_BYTES_MAX,
      onFrame: () => {
        this.silentBeats = 0;
      },
      onMessage: (message) => this.receive(wire, message),
      onClose: (code, reason) => {
        this.wire = null;
        clock.clearTimer(this.beats);
        const { session } = this;
        this.session = null;
        session?.end('the connection to the owner has ended');
        this.left();
        if (this.isLeaving) return;
        if (session !== null) this.failures = 0;
        if (this.directedTo !== null) {
          this.pause = clock.setTimer(() => this.connect(), this.options.random() * PAUSE_MS.first);
          return;
        }
        const pauseMs = this.options.random() * Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** Math.min(this.failures++, 16));
        const fields = { url, code, why: why || reason || null, againInSeconds: Math.round(pauseMs) / 1000 };
        logger.warn(fields, session === null ? 'the hand cannot connect' : 'the hand has lost its owner');
        this.pause = clock.setTimer(() => this.connect(), pauseMs);
      },
    });
    this.wire = wire;
    socket.once('open', () => {
      const { name, version, instance, capacity, tasks } = this.options;
      wire.send(JSON.stringify({ t: 'hello', protocol: PROTOCOL, name, version, instance, capacity, tasks }));
      this.watch(wire, CONNECT_MS);
    });
  }

  /** The advice when the service refuses the connection; nothing where that passes, as while no node owns. */
  private adviceFor(status = 0): string {
    switch (status) {
      case 401:
        return this.options.key === undefined
          ? ': it takes hands with a key only, and OWNER_KEY is not set'
          : ': the key in OWNER_KEY is not one of its keys, or has expired';
      case 403:
        return ': the key in OWNER_KEY needs the scope work, for all pipelines';
      case 404:
        return ': OWNER_URL is not the address of a service that takes hands';
      case 421:
        return ': it does not accept the host name in OWNER_URL; see its ALLOWED_HOSTS';
      default:
        return '';
    }
  }

  private receive(wire: Wire, message: unknown): void {
    const read = fromOwnerSchema.safeParse(message);
    if (!read.success) {
      this.options.logger.error({ fault: read.error.issues[0]?.path.join('.') }, 'the owner has sent a message that is not valid');
      wire.cut();
      return;
    }
    const said = read.data;
    if (said.t === 'welcome') {
      const { uses, threads, clock, logger } = this.options;
      this.epoch = said.epoch;
      this.session = new WorkSession({ uses, threads, clock, logger: this.taskLogger }, said, (text, isOptional) =>
        this.say(text, isOptional),
      );
      clock.clearTimer(this.beats);
      this.watch(wire, said.beatMs);
      const { version } = this.options;
      if (said.version === version) logger.info({ owner: said.version, epoch: said.epoch }, 'the hand is connected');
      else
        logger.warn(
          { owner: said.version, hand: version, epoch: said.epoch },
          'the hand is connected and is given nothing: it runs another version than the service',
        );
      this.session.isLeaving = this.isLeaving;
      if (this.isLeaving) wire.send('{"t":"leaving"}');
    } else if (said.t === 'job') this.session?.take(said);
    else if (said.t === 'abort') this.session?.abort(said.id, said.reason);
  }

  /** Beats, and counts the beats that nothing came in. */
  private watch(wire: Wire, beatMs: number): void {
    this.silentBeats = 0;
    const plan = (): void => {
      this.beats = this.options.clock.setTimer(() => {
        if (this.silentBeats++ >= SILENT_BEATS || (this.session === null && this.silentBeats > 1)) {
          wire.cut();
          return;
        }
        wire.send('{"t":"beat"}');
        plan();
      }, beatMs);
      unref(this.beats);
    };
    plan();
  }

  private say(text: string, isOptional: boolean): void {
    const { wire } = this;
    if (wire !== null && this.session !== null && !(isOptional && wire.waitingBytes > FULL_BYTES)) wire.send(text);
  }
}

function socketUrl(url: string): string {
  const target = new URL(url);
  target.protocol = target.protocol === 'https:' ? 'wss:' : 'ws:';
  target.pathname = `${target.pathname.replace(/[/]$/, '')}${HANDS_PATH}`;
  return target.href;
}
