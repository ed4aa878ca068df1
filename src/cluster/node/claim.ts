import type { Logger } from '../../engine/ports.ts';
import { StoreTrouble } from '../../engine/store.ts';
import { Appender, type AppenderOptions, Deposed } from '../appender.ts';
import type { Input } from '../ownership/steps.ts';
import { TailLost } from '../replica.ts';
import type { LocalFile } from './local-file.ts';

export interface ClaimOptions extends Pick<AppenderOptions, 'clock' | 'timeoutMs'> {
  file: LocalFile;
  /** The entry that it comes after. */
  after: number;
  node: { readonly name: string; readonly url: string };
  logger: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** One of so many is drawn for each claim: the process before this one may have had the same name and instant, and its claim is not this one. */
const NONCES = 2 ** 48;

type Answer = Extract<Input, { type: 'claimed' | 'refused' | 'undecided' | 'apart' }>;

/** A claim, from its first append until it is decided: always the same bytes, and those of no other claim. A file that is no prefix of the log is refused by the log itself. */
export class Claim {
  private readonly options: ClaimOptions;
  private appender: Appender | null = null;
  /** When it was made: nobody can have seen it before. */
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
    const { clock, timeoutMs, file, after, node, random } = this.options;
    if (this.appender !== null) await this.appender.settle();
    else {
      // From here on the claim is the next entry, or there is none.
      await file.stop();
      const { replica } = file;
      if (replica.position !== after) return { type: 'refused' };
      this.since = clock.monotonic();
      this.appender = new Appender({ log: file.log, replica, clock, timeoutMs });
      const at = Math.max(clock.now(), replica.ownership.at);
      await this.appender.append({ kind: 'own', node: node.name, url: node.url, at, nonce: Math.floor(random() * NONCES) });
    }
    return { type: 'claimed', sentAt: this.since };
  }
}
