import type { Decoded } from '../entry/entry.ts';
import { follow } from '../follower.ts';
import type { Log } from '../log/log.ts';
import type { Replica } from '../replica.ts';
import { keepAside, openToFollow } from '../restoring.ts';
import { Snapshotter } from '../snapshotting.ts';
import type { ClusterNodeOptions } from './contract.ts';
import { impatient } from './impatient.ts';

type LocalFileOptions = Pick<
  ClusterNodeOptions,
  'backbone' | 'file' | 'clock' | 'logger' | 'openReplica' | 'removeReplica' | 'setReplicaAside'
>;

/** This node's file, from one opening to the next. Calls MUST NOT overlap. */
export class LocalFile {
  /** The log, whose questions reject when they have no answer in time. */
  readonly log: Log;
  private readonly options: LocalFileOptions;
  private current: { replica: Replica; snapshotter: Snapshotter } | null = null;
  private followed: { stop(): Promise<void> } | null = null;
  /** The position at which the file did not fit the log the last time. */
  private unfitAt: number | null = null;

  /** `answerMs`: without an answer by then a question has failed. */
  constructor(options: LocalFileOptions, answerMs: number) {
    this.options = options;
    this.log = impatient(options.backbone.log, options.clock, answerMs);
  }

  get isOpen(): boolean {
    return this.current !== null;
  }

  get replica(): Replica {
    if (this.current === null) throw new Error('the file is not open');
    return this.current.replica;
  }

  /** As it is, whatever the log has. */
  async open(): Promise<void> {
    this.keep(await this.options.openReplica(this.options.file));
  }

  /** No entry is applied any more, and the file is closed. Idempotent. */
  async close(): Promise<void> {
    await this.stop();
    const { current } = this;
    this.current = null;
    await current?.snapshotter.settled();
    await current?.replica.close();
  }

  /**
   * Opens the file anew, as something that can follow: from the newest snapshot where the log asks for that. `isUnfit`: an entry was found not to fit. Rejects when the log,
   * or the disk, does not answer.
   */
  async join(isUnfit: boolean): Promise<void> {
    const { options, log } = this;
    const position = this.current?.replica.position ?? null;
    await this.close();
    // It was opened anew since, and still does not fit: what the log has before that place is not there to compare with any more.
    if (isUnfit && position !== null && this.unfitAt === position)
      await (position > 0 ? keepAside(options, position) : options.removeReplica(options.file));
    if (isUnfit) this.unfitAt = position;
    this.keep(await openToFollow({ ...options, log, snapshots: options.backbone.snapshots }));
  }

  /** Calls `applied` after every entry that is in the file; `lost` at most once, when that has ended by itself. Rejects with TailLost or LeftBehind when the file cannot follow the log, and with anything else when the log does not answer. */
  async follow(applied: (decoded: Decoded, position: number) => void, lost: (why: unknown) => void): Promise<void> {
    this.followed = await follow({ log: this.log, replica: this.replica, logger: this.options.logger, applied, lost });
  }

  async stop(): Promise<void> {
    const { followed } = this;
    this.followed = null;
    await followed?.stop();
  }

  /** Makes a snapshot if it is time for one. Never rejects. */
  async snapshot(role: 'owner' | 'follower'): Promise<void> {
    await this.current?.snapshotter.look(role);
  }

  private keep(replica: Replica): void {
    const { backbone, file, logger } = this.options;
    const { log, snapshots } = backbone;
    this.current = { replica, snapshotter: new Snapshotter({ log, snapshots, replica, beside: `${file}-snapshot`, logger }) };
  }
}
