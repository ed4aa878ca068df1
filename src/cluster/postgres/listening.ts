import type { Logger } from '../../engine/ports.ts';
import type { Bell } from './bell.ts';
import { Session, type SessionSettings } from './session.ts';

const AGAIN_MS = 1000;
/** How often a quiet connection is asked whether it is alive; entries are found by polling until it has been replaced. */
const CHECK_MS = 15_000;

/**
 * Rings a bell when an append is told (`LISTEN`), and when the connection is new, since some may have been missed. It is an acceleration: where the connection fails, or a pooler
 * forgets it, those who follow find entries by polling.
 */
export class Listening {
  private readonly session: Session;
  private readonly bell: Bell;
  private readonly channel: string;
  private readonly logger: Logger;
  private timer: NodeJS.Timeout | undefined;
  private isStarted = false;
  private isStopped = false;
  private hasComplained = false;

  constructor(settings: SessionSettings, channel: string, bell: Bell, logger: Logger) {
    this.bell = bell;
    this.channel = channel;
    this.logger = logger;
    this.session = new Session(
      settings,
      () => bell.ring(),
      () => this.again(AGAIN_MS),
    );
  }

  /** Does nothing the second time. */
  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    this.again(0);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.session.close();
  }

  private again(ms: number): void {
    if (this.isStopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.listen(), ms);
    this.timer.unref();
  }

  private async listen(): Promise<void> {
    try {
      // Also on a connection that listens already: it may have been replaced just now.
      await this.session.ask({ text: `listen ${this.channel}` });
      this.again(CHECK_MS);
      this.bell.ring();
      if (this.hasComplained) this.logger.info({}, 'PostgreSQL tells of new entries again');
      this.hasComplained = false;
    } catch (error) {
      if (this.isStopped) return;
      if (!this.hasComplained) this.logger.warn({ err: error }, 'PostgreSQL does not tell of new entries (LISTEN); they are polled for');
      this.hasComplained = true;
      this.again(AGAIN_MS);
    }
  }
}
