import type { Logger } from '../../engine/ports.ts';
import { StoreTrouble } from '../../engine/store.ts';
import { Appender, type AppenderOptions, Deposed } from '../appender.ts';
import type { Input } from '../ownership/steps.ts';
import { LeftBehind, TailLost } from '../replica.ts';
import type { LocalFile } from './local-file.ts';

export interface ClaimOptions extends Pick<AppenderOptions, 'clock' | 'timeoutMs'> {
  file: LocalFile;
  /** The entry that it comes after. */
  after: number;
  node: { readonly name: string; readonly url: string };
  logger: Logger;
}

type Answer = Extract<Input, { type: 'claimed' | 'refused' | 'undecided' | 'apart' }>;

/** A claim, from its first append until it is decided: always the same bytes. */
export class Claim {
  private readonly options: ClaimOptions;
  private appender: Appender | null = null;
  /** An instant at which the log ended where the claim begins. */
  private since = 0;

  constructor(options: ClaimOptions) {
    this.options = options;
  }

  /** Claimed: the entry is in the log, and in the file, too. */
  async attempt(): Promise<Answer> {
    try {
      return await this.append();
    } catch (error) {
      if (error instanceof Deposed) return { type: error.cause instanceof TailLost ? 'apart' : 'refused' };
      if (error instanceof StoreTrouble) return { type: 'undecided' };
      this.options.logger.error({ err: error }, "this node's own claim cannot be applied to its file");
      return { type: 'apart' };
    }
  }

  private async append(): Promise<Answer> {
    const { clock, timeoutMs, file, after, node } = this.options;
    if (this.appender !== null) await this.appender.settle();
    else {
      // From here on the claim is the next entry, or there is none.
      await file.stop();
      const { replica } = file;
      if (replica.position !== after) return { type: 'refused' };
      // A file that is no prefix of the log must not be made the one that all others have to follow.
      const why = await this.unfit();
      if (why !== null) return why;
      this.since = clock.monotonic();
      // The process before this one may have claimed with the very same bytes: an entry that is there already is not this claim.
      if ((await this.end()) > after) return { type: 'refused' };
      this.appender = new Appender({ log: file.log, replica, clock, timeoutMs });
      await this.appender.append({ kind: 'own', node: node.name, url: node.url, at: Math.max(clock.now(), replica.ownership.at) });
    }
    return { type: 'claimed', sentAt: this.since };
  }

  private async end(): Promise<number> {
    try {
      return (await this.options.file.log.ends()).last;
    } catch (error) {
      throw new StoreTrouble('its log does not answer', error);
    }
  }

  private async unfit(): Promise<Answer | null> {
    try {
      await this.options.file.expectPrefix();
      return null;
    } catch (error) {
      return { type: error instanceof TailLost || error instanceof LeftBehind ? 'apart' : 'undecided' };
    }
  }
}
