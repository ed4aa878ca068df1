/**
 * Keeps the log short: makes a snapshot when it has grown, and forgets what stands before the snapshot before. So whoever is still fetching that one, or is a little behind,
 * finds what comes next; and the log is never trimmed without a snapshot that has what goes.
 *
 * Followers make them; their copying takes nothing from the one that owns. Where there is no follower, the owner makes one when the log has grown several times as much.
 */
import { rm } from 'node:fs/promises';
import type { Logger } from '../engine/ports.ts';
import { unlikeLog } from './follower.ts';
import type { Log, Snapshots } from './log/log.ts';
import type { Replica } from './replica.ts';

export interface SnapshotterOptions {
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly replica: Replica;
  /** A path where the copy is written before it is put; nothing is there otherwise. */
  readonly beside: string;
  readonly logger: Logger;
  /** A snapshot is made after so many entries, or so many bytes of them, whichever comes first. */
  readonly entries?: number;
  readonly bytes?: number;
}

const ENTRIES = 100_000;
const BYTES = 256 * 1024 * 1024;
/** An owner waits for a follower's snapshot until the log has grown so many times as much. */
const OWNER_PATIENCE = 4;

export class Snapshotter {
  private readonly options: SnapshotterOptions;
  private making: Promise<boolean> | null = null;
  /** The newest snapshot that is known, and the bytes that this node had applied when it was seen first. */
  private seen: { position: number; bytes: number } | null = null;
  /** The log has been told that none can be made now. */
  private hasComplained = false;

  constructor(options: SnapshotterOptions) {
    this.options = options;
  }

  /**
   * Makes a snapshot if it is time for one; to be called every few seconds. Resolves with whether it has made one. Calls that overlap share one look. The first of what fails in a row
   * is logged, and it is tried again by the next call.
   */
  look(role: 'owner' | 'follower'): Promise<boolean> {
    this.making ??= this.lookOnce(role)
      .then(
        (isMade) => {
          this.hasComplained = false;
          return isMade;
        },
        (error: unknown) => {
          if (!this.hasComplained) this.options.logger.warn({ err: error }, 'a snapshot cannot be made now; the log grows until it can');
          this.hasComplained = true;
          return false;
        },
      )
      .finally(() => {
        this.making = null;
      });
    return this.making;
  }

  /** Resolves when nothing is being made any more. */
  async settled(): Promise<void> {
    await this.making;
  }

  private async lookOnce(role: 'owner' | 'follower'): Promise<boolean> {
    const { log, snapshots, replica, beside, logger, entries = ENTRIES, bytes = BYTES } = this.options;
    const before = await this.newest();
    if (this.seen?.position !== before) this.seen = { position: before, bytes: replica.bytes };
    const patience = role === 'owner' ? OWNER_PATIENCE : 1;
    const isDue = replica.position - before >= entries * patience || replica.bytes - this.seen.bytes >= bytes * patience;
    if (!isDue || replica.position <= before) return false;
    try {
      await rm(beside, { force: true });
      const position = await replica.copyTo(beside);
      // Another node's may have come meanwhile.
      if (position <= (await this.newest())) return false;
      // Nor may this one have what the log has lost: it would take the place of one that can be restored.
      const unlike = await unlikeLog(log, replica);
      if (unlike !== null) throw unlike;
      await snapshots.put(position, beside);
      if (before > 0) await log.trim(before);
      logger.info({ position, trimmedUpTo: before }, 'a snapshot was made');
      return true;
    } finally {
      await rm(beside, { force: true });
    }
  }

  /** The position of the newest one that counts; one that has what the log has lost since stands beyond its end. The log is asked only where one is ahead of this node. */
  private async newest(): Promise<number> {
    const { log, snapshots, replica } = this.options;
    const newest = (await snapshots.newest())?.position ?? 0;
    if (newest <= replica.position) return newest;
    const { last } = await log.ends();
    return newest <= last ? newest : ((await snapshots.newest(last))?.position ?? 0);
  }
}
