import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { packEntry, unpackEntry } from '../../src/cluster/entry/entry.ts';
import type { Log } from '../../src/cluster/log/log.ts';
import { type Replica, type ReplicaFile, replicaOf } from '../../src/cluster/replica.ts';
import { ReplicatedStore, type ReplicatedStoreOptions } from '../../src/cluster/replicated-store.ts';
import { type Clock, type Logger, silentLogger } from '../../src/engine/ports.ts';
import { StoreTrouble } from '../../src/engine/store.ts';
import { openSqliteReplica } from '../../src/stores/sqlite/replica.ts';
import { folderWith } from '../loader/folder.ts';

export const AT = Date.UTC(2026, 0, 1);
export const LEASE_MS = 10_000;

let claims = 0;

/** A path in a folder that goes with its test. */
export const newFile = (name = 'node.db'): string => join(folderWith(), name);

/** The replica of a file, closed with its test. */
export async function replicaAt(file = newFile()): Promise<Replica> {
  const replica = replicaOf(await openSqliteReplica({ file, inProcess: true }));
  onTestFinished(() => replica.close().catch(() => undefined));
  return replica;
}

/** The same, whose disk fails as long as `fault` says so. */
export async function failingReplicaAt(file = newFile()): Promise<{ replica: Replica; disk: { fault: string | null } }> {
  const disk: { fault: string | null } = { fault: null };
  const opened: ReplicaFile = await openSqliteReplica({ file, inProcess: true });
  const write = opened.write.bind(opened);
  opened.write = async (...args) => {
    if (disk.fault !== null) throw new StoreTrouble(disk.fault);
    return write(...args);
  };
  const replica = replicaOf(opened);
  onTestFinished(() => replica.close());
  return { replica, disk };
}

/** Begins an ownership for a node whose file has the whole log; returns its epoch. */
export async function claim(log: Log, replica: Replica, node = 'a', at = AT): Promise<number> {
  const bytes = packEntry({ kind: 'own', node, url: `http://${node}`, at, nonce: ++claims, prev: replica.token });
  const position = replica.position + 1;
  await log.append(replica, bytes);
  await replica.apply({ position, bytes }, unpackEntry(bytes));
  return position;
}

export function storeOn(log: Log, replica: Replica, clock: Clock, options: Partial<ReplicatedStoreOptions> = {}): ReplicatedStore {
  const { epoch } = replica.ownership;
  return new ReplicatedStore({ log, replica, clock, epoch, node: 'a', url: 'http://a', leaseMs: LEASE_MS, ...options });
}

/** What was logged as an error, or as a warning. */
export function logging(): { logger: Logger; errors: string[]; warnings: string[] } {
  const [errors, warnings]: [string[], string[]] = [[], []];
  const into = (list: string[]) => (_fields: object, message: string) => void list.push(message);
  return { logger: { ...silentLogger, error: into(errors), warn: into(warnings) }, errors, warnings };
}
