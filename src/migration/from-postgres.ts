import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { follow } from '../cluster/follower.ts';
import type { Backbone, Log } from '../cluster/log/log.ts';
import { type OpenedPostgres, openPostgres } from '../cluster/postgres/index.ts';
import { type Replica, replicaOf } from '../cluster/replica.ts';
import { openToFollow } from '../cluster/restoring.ts';
import { silentLogger } from '../engine/ports.ts';
import { backup, expectNoFile } from '../stores/sqlite/backup.ts';
import { StoreFileError } from '../stores/sqlite/file.ts';
import { makeFolderOf } from '../stores/sqlite/lock.ts';
import { removeSqliteReplica, setSqliteReplicaAside } from '../stores/sqlite/lost.ts';
import { openSqliteReplica, storeOfCopy } from '../stores/sqlite/replica.ts';
import { MoveRefused } from './errors.ts';

/**
 * Moves what PostgreSQL has to a file that is not there yet: the store of one machine, with everything, and events with their ids. Throws {@link MoveRefused} while nodes work with it, and what
 * the server and the disk throw; there is no such file then.
 */
export async function moveFromPostgres(url: string, target: string): Promise<{ position: number; shown: string }> {
  if (existsSync(target)) throw new MoveRefused(`${target} already exists. Name a file that is not there yet, or move this one away.`);
  makeFolderOf(target);
  const { backbone, shown } = await openPostgres({ url, logger: silentLogger, mayCreate: false });
  try {
    const nodes = await backbone.presence.list();
    if (nodes.length > 0) {
      const names = nodes.map(({ name }) => name).join(', ');
      throw new MoveRefused(`${shown} is in use by ${names}. Stop these nodes first; one that was killed is forgotten after a minute.`);
    }
    const position = await inFolder(dirname(target), async (folder) => {
      const copy = join(folder, 'copy.db');
      const reached = await restore(backbone, copy);
      if ((await backbone.log.ends()).last !== reached) throw new MoveRefused(`A node has begun to work with ${shown}. Stop it first.`);
      storeOfCopy(copy, target);
      return reached;
    });
    return { position, shown };
  } finally {
    await backbone.close();
  }
}

/** Writes a backup to a file that is not there yet, while nodes work: the store of one machine as of the last entry. After a start with it, events begin a new line. */
export async function backupFromPostgres(url: string, target: string): Promise<{ bytes: number }> {
  expectNoFile(target);
  expectFolder(dirname(target));
  const { backbone } = await openPostgres({ url, logger: silentLogger, mayCreate: false });
  try {
    return await inFolder(dirname(target), async (folder) => ({ bytes: backup(await storeIn(backbone, folder), target) }));
  } finally {
    await backbone.close();
  }
}

/** Gives a file with what PostgreSQL has, as of the last entry, to `look`; it is gone afterwards. */
export async function lookAtPostgres<T>(
  url: string,
  folder: string,
  look: (opened: OpenedPostgres, file: string) => Promise<T>,
): Promise<T> {
  const opened = await openPostgres({ url, logger: silentLogger, mayCreate: false });
  try {
    return await inFolder(folder, async (own) => look(opened, await storeIn(opened.backbone, own)));
  } finally {
    await opened.backbone.close();
  }
}

async function storeIn(backbone: Backbone, folder: string): Promise<string> {
  const [copy, store] = [join(folder, 'copy.db'), join(folder, 'store.db')];
  await restore(backbone, copy);
  storeOfCopy(copy, store);
  return store;
}

/** Throws {@link StoreFileError} when nothing can be made in it. Whatever is to be made there takes long; this takes nothing. */
function expectFolder(folder: string): void {
  rmSync(makeIn(folder), { recursive: true });
}

function makeIn(parent: string): string {
  try {
    return mkdtempSync(join(parent, '.sluice-'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new StoreFileError(
      code === 'ENOENT' ? `There is no folder ${parent}. Make it first.` : `${parent} cannot be written: ${message}`,
    );
  }
}

async function inFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = makeIn(parent);
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes a node's file from the newest snapshot and the entries after it; resolves with the last position. */
async function restore({ log, snapshots }: Backbone, file: string): Promise<number> {
  const openReplica = async (path: string): Promise<Replica> => replicaOf(await openSqliteReplica({ file: path, inProcess: true }));
  const removeReplica = async (path: string): Promise<void> => removeSqliteReplica(path);
  const setReplicaAside = async (path: string, position: number): Promise<string> => setSqliteReplicaAside(path, position);
  const replica = await openToFollow({ log, snapshots, file, openReplica, removeReplica, setReplicaAside, logger: silentLogger });
  try {
    const { last } = await log.ends();
    if (replica.position < last) await followTo(last, log, replica);
    return replica.position;
  } finally {
    await replica.close();
  }
}

async function followTo(last: number, log: Log, replica: Replica): Promise<void> {
  const { promise: arrived, resolve, reject } = Promise.withResolvers<void>();
  const applied = (_: unknown, position: number): void => {
    if (position >= last) resolve();
  };
  const following = await follow({ log, replica, logger: silentLogger, applied, lost: reject });
  try {
    await arrived;
  } finally {
    await following.stop();
  }
}
