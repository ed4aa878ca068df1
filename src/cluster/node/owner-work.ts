import { StoreTrouble } from '../../engine/store.ts';
import { Deposed } from '../appender.ts';
import { ownerClock } from '../owner-clock.ts';
import type { Rules } from '../ownership/rules.ts';
import type { Input } from '../ownership/steps.ts';
import { TailLost } from '../replica.ts';
import { ReplicatedStore } from '../replicated-store.ts';
import type { ClusterNodeOptions, Owned } from './contract.ts';
import type { LocalFile } from './local-file.ts';
import { Owning } from './owning.ts';
import type { Troubles } from './troubles.ts';

export interface OwnerWorkDeps {
  options: ClusterNodeOptions;
  rules: Rules;
  file: LocalFile;
  troubles: Troubles;
  /** Whether this node owns, and has been confirmed too long ago to begin anything. */
  isLate(): boolean;
  input(input: Input): void;
}

/** The work of an owner: one ownership after the other. */
export class OwnerWork {
  private readonly deps: OwnerWorkDeps;
  private owning: Owning | null = null;
  private heldFor: string | null = null;
  private deposing: Promise<void> = Promise.resolve();

  constructor(deps: OwnerWorkDeps) {
    this.deps = deps;
  }

  /** The instant at which the newest entry of this ownership that is in the log for certain was sent; null before there is one. */
  get confirmedAt(): number | null {
    return this.owning?.confirmedAt ?? null;
  }

  /** Why nothing begins; null when it may. */
  get held(): string | null {
    return this.heldFor;
  }

  /** Settles when the host of the last ownership is gone. */
  get deposed(): Promise<void> {
    return this.deposing;
  }

  own(epoch: number): void {
    const { options, troubles, input } = this.deps;
    this.owning = null;
    let owning: Owning;
    try {
      owning = this.make(epoch);
    } catch (error) {
      troubles.set('own', 'this node cannot own', error);
      input({ type: 'unable' });
      return;
    }
    this.owning = owning;
    options.logger.info({ epoch }, 'this node owns');
    owning.begun().then(
      () => {
        troubles.end('own');
        troubles.end('file');
        if (this.owning === owning) input({ type: 'began' });
      },
      (error: unknown) => {
        troubles.set('own', 'this node cannot own', error);
        if (this.owning === owning) input({ type: 'unable' });
      },
    );
  }

  async beat(): Promise<void> {
    const { options, troubles, input } = this.deps;
    const { owning } = this;
    try {
      await owning?.beat();
      troubles.end('log');
      if (owning === this.owning) input({ type: 'tick' });
    } catch (error) {
      // It has been told of, before.
      if (owning !== this.owning || error instanceof Deposed) return;
      if (error instanceof StoreTrouble) {
        troubles.set('log', 'the log confirms nothing', error);
        input({ type: 'unheard' });
        return;
      }
      options.logger.error({ err: error }, "this node's own entries cannot be applied to its file");
      input({ type: 'apart' });
    }
  }

  /** Nothing begins, for this reason; null: it goes on. */
  hold(reason: string | null): void {
    this.heldFor = reason;
    this.owning?.hold(reason);
  }

  depose(): void {
    const { logger } = this.deps.options;
    this.heldFor = null;
    if (this.owning === null) return;
    this.deposing = this.owning
      .depose()
      .catch((err: unknown) => logger.error({ err }, 'the host of an ownership that has ended did not end well'));
  }

  async resign(): Promise<void> {
    const { options, rules, input } = this.deps;
    try {
      await this.deposing;
      await this.owning?.leave(options.clock, rules.answerMs);
    } catch (err) {
      options.logger.warn({ err }, 'the ownership ends without a word to the others: they wait for the lease');
    }
    input({ type: 'resigned' });
  }

  private make(epoch: number): Owning {
    const { options, file, isLate, input } = this.deps;
    const { name: node, url, leaseMs, logger } = options;
    const { replica } = file;
    const clock = ownerClock(options.clock, replica.ownership.at, () => {
      if (this.heldFor === null && isLate()) input({ type: 'tick' });
    });
    const deposed = (error: Deposed): void => {
      logger.warn({ err: error, epoch }, 'this node does not own any more');
      input({ type: error.cause instanceof TailLost ? 'apart' : 'deposed' });
    };
    const store = new ReplicatedStore({ log: file.log, replica, epoch, node, url, leaseMs, clock, deposed });
    const host = async (): Promise<Owned> => options.own(store, epoch, clock);
    return new Owning(store, host());
  }
}
