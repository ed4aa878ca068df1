import { rmSync } from 'node:fs';
import { packEntry, unpackEntry } from '../cluster/entry/entry.ts';
import type { Backbone } from '../cluster/log/log.ts';
import { NO_TOKEN, tokenOf } from '../cluster/log/token.ts';
import { openPostgres } from '../cluster/postgres/index.ts';
import { seedPlace } from '../cluster/replica.ts';
import { silentLogger } from '../engine/ports.ts';
import { checkFile, StoreFileError } from '../stores/sqlite/file.ts';
import { openSqliteStore } from '../stores/sqlite/index.ts';
import { copyOfStore } from '../stores/sqlite/replica.ts';
import { MoveRefused } from './errors.ts';

/** The first entry of all, before which there is a snapshot. */
interface Seed {
  readonly token: string;
  readonly at: number;
}

const SEED_POSITION = 1;

/**
 * Moves the store of one machine, which no service works with, to an empty schema: pipelines, items, results, feeds, keys, limiters, and events with their ids. The file stays as it
 * is. Throws {@link MoveRefused}, and what the file and the server throw.
 *
 *     1. first entry of the log: a seed ──▶ 2. copy of the file, as of that entry ──▶ 3. snapshot
 *
 * A node that starts in between finds that it lacks what was before the seed, and does nothing. Cut short, at whatever point, it is begun again by the next call.
 */
export async function moveToPostgres(file: string, url: string, now: () => number = Date.now): Promise<{ shown: string }> {
  if (checkFile(file) === 'new') throw new StoreFileError(`${file} does not exist`);
  await expectStopped(file);
  const { backbone, shown } = await openPostgres({ url, logger: silentLogger });
  const copy = `${file}-moving`;
  try {
    const { token, at } = await seedOf(backbone, shown, now());
    rmSync(copy, { force: true });
    copyOfStore(file, copy, seedPlace(token, at));
    await backbone.snapshots.put(SEED_POSITION, copy);
    return { shown };
  } finally {
    rmSync(copy, { force: true });
    await backbone.close();
  }
}

/** Appends the seed, or finds that of a move that was cut short. */
async function seedOf({ log, snapshots }: Backbone, shown: string, at: number): Promise<Seed> {
  const { last } = await log.ends();
  const snapshot = await snapshots.newest();
  if (last === 0 && snapshot === null) {
    const bytes = packEntry({ kind: 'seed', at, prev: NO_TOKEN });
    await log.append({ position: 0, token: NO_TOKEN }, bytes);
    return { token: tokenOf(bytes), at };
  }
  const first = last === SEED_POSITION && snapshot === null ? await log.read(SEED_POSITION) : undefined;
  const decoded = first === undefined ? undefined : unpackEntry(first.bytes);
  if (decoded?.kind !== 'seed') throw new MoveRefused(`${shown} has data already. Name another schema, or drop this one.`);
  return decoded;
}

/** Opens it as a start does, which begins a new line in the events of a backup, and brings an older file to this version. */
async function expectStopped(file: string): Promise<void> {
  const store = await openSqliteStore({ file, inProcess: true });
  try {
    // Notes of them are beside the file, and would be left behind.
    if (store.marked.length === 0) return;
    throw new MoveRefused(
      `The service of ${file} was killed while it worked. Start it once more, and stop it with SIGTERM, so that what ran is accounted for.`,
    );
  } finally {
    await store.close();
  }
}
