import { isConnectionFault, NoAnswer } from './errors.ts';
import { type AskOptions, Session, type SessionSettings, type Statement } from './session.ts';

/** A few sessions for statements that change nothing, or nothing when they are repeated. Those that are more wait for one. */
export class Sessions {
  private readonly idle: Session[];
  private readonly all: readonly Session[];
  private readonly waiting: ((session: Session) => void)[] = [];

  constructor(settings: SessionSettings, count: number) {
    this.all = Array.from({ length: count }, () => new Session(settings));
    this.idle = [...this.all];
  }

  /** Runs a statement; once more when its connection turned out to be lost, and not when no answer came. One that changes something must be harmless twice. */
  async ask<Row extends object>(statement: Statement, options?: AskOptions): Promise<Row[]> {
    const session = await this.free();
    try {
      const wasConnected = session.isConnected;
      try {
        return await session.ask<Row>(statement, options);
      } catch (error) {
        if (!wasConnected || session.isConnected || error instanceof NoAnswer || !isConnectionFault(error)) throw error;
        return await session.ask<Row>(statement, options);
      }
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.idle.push(session);
      else next(session);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((session) => session.close()));
  }

  /** A connected one before others, so that as few connections are made as there are statements at once. */
  private free(): Promise<Session> {
    const at = this.idle.findIndex(({ isConnected }) => isConnected);
    const [session] = this.idle.splice(Math.max(at, 0), 1);
    return session === undefined ? new Promise((resolve) => void this.waiting.push(resolve)) : Promise.resolve(session);
  }
}
