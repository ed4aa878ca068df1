import { unref } from '../../engine/ports.ts';
import type { Decoded } from '../entry/entry.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { Rules } from '../ownership/rules.ts';
import type { Input, Past } from '../ownership/steps.ts';
import { LeftBehind, TailLost } from '../replica.ts';
import { Claim } from './claim.ts';
import type { ClusterNodeOptions } from './contract.ts';
import type { LocalFile } from './local-file.ts';
import type { Troubles } from './troubles.ts';

export interface FileWorkDeps {
  options: ClusterNodeOptions;
  rules: Rules;
  file: LocalFile;
  troubles: Troubles;
  role(): Ownership['role'] | null;
  input(input: Input): void;
}

/** Opens the file, follows and claims with it, one piece of work after the other. A piece whose role is over by its turn does nothing. */
export class FileWork {
  private readonly deps: FileWorkDeps;
  private claim: Claim | null = null;
  /** When the file was found apart from the log, the last time. */
  private unfitAt = Number.NEGATIVE_INFINITY;
  /** The last entry that could be applied before following ended by itself. */
  private lostAfter = 0;
  private turn: Promise<void> = Promise.resolve();

  constructor(deps: FileWorkDeps) {
    this.deps = deps;
  }

  /** As of the file. */
  get past(): Past {
    const { position, ownership } = this.deps.file.replica;
    return { position, isUnowned: ownership.epoch === 0 || ownership.hasLeft };
  }

  /** `work` handles its own errors. */
  inTurn(work: () => Promise<void>): void {
    this.turn = this.turn.then(work);
  }

  /** The claim is decided. */
  decided(): void {
    this.claim = null;
  }

  follow(): void {
    this.decided();
    this.inTurn(() => this.followNow());
  }

  claimAfter(after: number): void {
    const { options, rules, file, role, input } = this.deps;
    const { clock, logger, name, url, random } = options;
    this.inTurn(async () => {
      if (role() !== 'claiming') return;
      this.claim ??= new Claim({ clock, timeoutMs: rules.answerMs, file, after, node: { name, url }, logger, random });
      input(await this.claim.attempt());
    });
  }

  /** `before`: what has to end before the file is closed. */
  reopen(isUnfit: boolean, before: Promise<void>): void {
    const { clock } = this.deps.options;
    const pauseMs = isUnfit ? this.unfitAt + this.deps.rules.probeMs - clock.monotonic() : 0;
    if (isUnfit) this.unfitAt = clock.monotonic();
    this.decided();
    this.inTurn(async () => {
      await before;
      // The same log may well refuse it again.
      if (pauseMs > 0) await new Promise<void>((resolve) => void clock.setTimer(resolve, pauseMs));
      await this.reopenNow(isUnfit);
    });
  }

  private async reopenNow(isUnfit: boolean): Promise<void> {
    const { options, rules, file, troubles, role, input } = this.deps;
    if (role() !== 'joining') return;
    try {
      await file.join(isUnfit);
    } catch (error) {
      troubles.set('file', 'the file cannot be brought up to the log', error);
      unref(options.clock.setTimer(() => this.inTurn(() => this.reopenNow(isUnfit)), rules.againMs));
      return;
    }
    // Whether what was apart fits now shows with the next entry.
    if (!isUnfit) troubles.end('file');
    input({ type: 'reopened', past: this.past });
  }

  private async followNow(): Promise<void> {
    const { file, troubles, role, input } = this.deps;
    if (role() !== 'following') return;
    const applied = (decoded: Decoded, position: number): void => {
      // Up to there it went well the last time, too.
      if (position > this.lostAfter) troubles.end('file');
      if (decoded.kind !== 'seed')
        input({ type: 'entered', entry: { ...decoded, position, epoch: decoded.kind === 'own' ? position : decoded.epoch } });
    };
    try {
      await file.follow(applied, (why) => this.lost(why));
    } catch (error) {
      this.lost(error);
    }
  }

  /** The file gets no more entries. */
  private lost(why: unknown): void {
    const { options, rules, file, troubles, role, input } = this.deps;
    if (role() !== 'following') return;
    this.lostAfter = file.isOpen ? file.replica.position : 0;
    troubles.set('file', "the log's entries cannot be followed", why);
    if (why instanceof TailLost || why instanceof LeftBehind) {
      input({ type: 'apart' });
      return;
    }
    unref(options.clock.setTimer(() => this.inTurn(() => this.followAgain()), rules.againMs));
  }

  private async followAgain(): Promise<void> {
    const { file, role } = this.deps;
    if (role() !== 'following') return;
    try {
      await file.stop();
      await this.followNow();
    } catch (error) {
      this.lost(error);
    }
  }
}
