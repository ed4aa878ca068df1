import { Socket } from 'node:net';
import { Client, type Notification } from 'pg';
import { isConnectionFault, NoAnswer } from './errors.ts';

export interface SessionSettings {
  readonly connectionString: string;
  /** How long a connection may take until it can be used. */
  readonly connectMs: number;
  /** How long an answer may take. */
  readonly answerMs: number;
}

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
}

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** Rejects when the server warns: a commit, for one, that has not reached the standby it waits for. */
  readonly isStrict?: boolean;
}

interface Link {
  readonly client: Client;
  readonly socket: Socket;
  warning: string | undefined;
}

const KEEP_ALIVE_MS = 10_000;
const GOODBYE_MS = 1000;
/** The server ends a statement of ours this much later than we cease to wait for it, so that none stays behind a lock for ever. */
const SERVER_GRACE_MS = 5000;
const WARNINGS = '01';
const SETTINGS = "select set_config('statement_timeout', $1, false), set_config('default_transaction_isolation', 'read committed', false)";

/**
 * One connection at a time, made when it is needed; one statement at a time. A connection that fails, or does not answer in time, is destroyed and
 * the next statement makes another. The outcome of a statement that rejected with anything but an error of the server is unknown.
 *
 * No startup parameter and no prepared statement is used, since poolers know neither.
 */
export class Session {
  private readonly settings: SessionSettings;
  private readonly onNotification: ((message: Notification) => void) | undefined;
  private readonly onLost: (() => void) | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private link: Link | undefined;
  private isClosed = false;

  constructor(settings: SessionSettings, onNotification?: (message: Notification) => void, onLost?: () => void) {
    this.settings = settings;
    this.onNotification = onNotification;
    this.onLost = onLost;
  }

  get isConnected(): boolean {
    return this.link !== undefined;
  }

  /** Runs a statement when those before it are done, and resolves with its rows. `signal` gives it up, at the cost of the connection if it has begun. */
  async ask<Row extends object>(statement: Statement, { signal, isStrict = false }: AskOptions = {}): Promise<Row[]> {
    const before = this.turn;
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    this.turn = before.then(() => done);
    try {
      await unlessAborted(before, signal);
      const link = await this.connected(signal);
      link.warning = undefined;
      const { rows } = await this.run<Row>(link, statement, signal);
      if (isStrict && link.warning !== undefined) throw new Error(`PostgreSQL warned: ${link.warning}`);
      return rows;
    } finally {
      finish();
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const { link } = this;
    this.link = undefined;
    if (link === undefined) return;
    const timer = setTimeout(() => link.socket.destroy(), GOODBYE_MS);
    await link.client.end();
    clearTimeout(timer);
  }

  private async run<Row extends object>(
    link: Link,
    { text, values = [] }: Statement,
    signal: AbortSignal | undefined,
  ): Promise<{ rows: Row[] }> {
    try {
      return await this.bounded(link, signal, link.client.query<Row>(text, [...values]));
    } catch (error) {
      // The server says that it ends the connection before it does.
      if (isConnectionFault(error)) this.drop(link);
      throw error;
    }
  }

  private drop(link: Link): void {
    link.socket.destroy();
    if (this.link !== link) return;
    this.link = undefined;
    this.onLost?.();
  }

  private async connected(signal: AbortSignal | undefined): Promise<Link> {
    if (this.isClosed) throw new Error('The connection to PostgreSQL is closed');
    if (this.link !== undefined) return this.link;
    const { connectionString, connectMs, answerMs } = this.settings;
    const socket = new Socket();
    const client = new Client({
      connectionString,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      fallback_application_name: 'sluice',
      stream: () => socket,
    });
    const link: Link = { client, socket, warning: undefined };
    client.on('error', () => this.drop(link));
    client.on('end', () => this.drop(link));
    client.on('notice', ({ code, message }) => {
      if (code?.startsWith(WARNINGS)) link.warning = message;
    });
    if (this.onNotification !== undefined) client.on('notification', this.onNotification);
    try {
      await this.bounded(link, signal, client.connect(), connectMs);
      await this.bounded(link, signal, client.query(SETTINGS, [String(answerMs + SERVER_GRACE_MS)]));
      if (this.isClosed) throw new Error('The connection to PostgreSQL is closed');
    } catch (error) {
      socket.destroy();
      throw error;
    }
    this.link = link;
    return link;
  }

  /** Waits for an answer; ceases when it is late or `signal` says so, and then destroys the connection, on which the answer might come yet. */
  private async bounded<T>(link: Link, signal: AbortSignal | undefined, answer: Promise<T>, ms = this.settings.answerMs): Promise<T> {
    const { promise: givenUp, reject: giveUp } = Promise.withResolvers<never>();
    const end = (why: unknown): void => {
      giveUp(why);
      this.drop(link);
    };
    const aborted = (): void => end(signal?.reason);
    const timer = setTimeout(() => end(new NoAnswer(`PostgreSQL has not answered for ${ms} ms`)), ms);
    signal?.addEventListener('abort', aborted, { once: true });
    if (signal?.aborted) aborted();
    try {
      return await Promise.race([answer, givenUp]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    }
  }
}

async function unlessAborted(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) {
    await before;
    return;
  }
  const { promise, reject } = Promise.withResolvers<never>();
  const aborted = (): void => reject(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  if (signal.aborted) aborted();
  try {
    await Promise.race([before, promise]);
  } finally {
    signal.removeEventListener('abort', aborted);
  }
}
