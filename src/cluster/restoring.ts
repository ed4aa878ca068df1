/**
 * Brings a node's file to where it can follow the log: as it is, or from the newest snapshot.
 *
 *     open ──▶ does the log go on from it? ──yes──▶ follow
 *               │ no: it was away for long, its disk was empty, or the log has lost what it has
 *               ▼
 *     newest snapshot ──fetch──▶ beside the file ──▶ in its place ──▶ open ──▶ the same question; if not, the one before it
 *
 * The file is removed when what takes its place is there. Without a snapshot, a log that has its first entry still is enough. A file with entries that the log has lost is set
 * aside: nothing else may have them any more.
 */
import { open, rename, rm } from 'node:fs/promises';
import type { Logger } from '../engine/ports.ts';
import { expectSameLog } from './follower.ts';
import type { Log, Snapshots } from './log/log.ts';
import { LeftBehind, type Replica, TailLost } from './replica.ts';

/** Neither the log nor a snapshot has everything: an operator has to decide. */
export class CannotRestore extends Error {
  override name = 'CannotRestore';
}

export interface RestoreOptions {
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly file: string;
  openReplica(file: string): Promise<Replica>;
  removeReplica(file: string): Promise<void>;
  /** See ClusterNodeOptions. */
  setReplicaAside(file: string, position: number): Promise<string>;
  readonly logger: Logger;
}

/** Opens the file of a node so that it can follow from there. Rejects with {@link CannotRestore}, or with what the log, the snapshots or the disk reject with. */
export async function openToFollow(options: RestoreOptions): Promise<Replica> {
  const { log, snapshots, file, openReplica, removeReplica, logger } = options;
  const replica = await openReplica(file);
  const why = await unfitFor(replica, options);
  // A snapshot spares a new node the way through the whole log, of which a seed is no part.
  const { first, last } = await log.ends();
  let snapshot = await snapshots.newest(last);
  if (why === null && (replica.position > 0 || snapshot === null)) return replica;
  const { position } = replica;
  let isAside = false;
  const giveWay = async (): Promise<void> => {
    if (why instanceof TailLost && !isAside) await keepAside(options, position);
    else await removeReplica(file);
    isAside = true;
  };
  await replica.close();
  for (; snapshot !== null; snapshot = await snapshots.newest(snapshot.position - 1)) {
    logger.info({ position: snapshot.position, why: why?.message ?? 'the file is new' }, 'this node restores its file from a snapshot');
    const beside = `${file}-restored`;
    await rm(beside, { force: true });
    try {
      await snapshot.fetch(beside);
      await sync(beside);
      await giveWay();
      await rename(beside, file);
    } finally {
      await rm(beside, { force: true });
    }
    const restored = await openReplica(file);
    const whyNot = await unfitFor(restored, options);
    if (whyNot === null) return restored;
    await restored.close();
    logger.warn({ err: whyNot, position: snapshot.position }, 'a snapshot does not fit the log');
  }
  if (first > 1) {
    const message = `the log begins at entry ${first}, and ${(await snapshots.newest()) === null ? 'there is no snapshot' : 'no snapshot fits it'}`;
    throw new CannotRestore(message, { cause: why });
  }
  await giveWay();
  return openReplica(file);
}

/** Sets the file of a node aside, and says where it is: it has what was acknowledged, and what the log has not got. */
export async function keepAside(
  { file, setReplicaAside, logger }: Pick<RestoreOptions, 'file' | 'setReplicaAside' | 'logger'>,
  position: number,
): Promise<void> {
  const kept = await setReplicaAside(file, position);
  logger.error(
    { file: kept, position },
    `the copy of this node with what the log has lost is kept as ${kept}; "npm run store -- check" says what is in it`,
  );
}

/** A copy that lost pages in a power cut would be taken for whole. */
async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Why the log does not go on from the file; null when it does. */
async function unfitFor(replica: Replica, { log, logger }: RestoreOptions): Promise<Error | null> {
  try {
    await expectSameLog(log, replica, logger);
    return null;
  } catch (error) {
    if (error instanceof TailLost || error instanceof LeftBehind) return error;
    await replica.close();
    throw error;
  }
}
