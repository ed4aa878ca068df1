/**
 * A node's own file: the state as of a place in the log. It is always a prefix of the log, so it needs no sync of its own: after a power cut it lacks its last
 * transactions, and catches up.
 *
 *     entry ──▶ is it the next one, after the one that we have? ──no──▶ TailLost: the log has lost what we have
 *                 │ yes
 *                 ├─ a part of a transaction that goes on ──▶ in memory, until the last part; whoever else begins an ownership ends it
 *                 └─ anything else ──▶ one transaction of the file: the changes, and the place
 */
import type { Store, Writes } from '../engine/store.ts';
import { type Decoded, EntryFault } from './entry/entry.ts';
import { unpackWrites } from './entry/writes.ts';
import type { Entry, Place as LogPlace } from './log/log.ts';
import { NO_TOKEN } from './log/token.ts';

/** The log has not got what this node has applied: it has lost its end, as by an asynchronous failover. The file is to be set aside, and restored. */
export class TailLost extends Error {
  override name = 'TailLost';
}

/** The entries that come next are not in the log any more: the file is to be restored from a snapshot. */
export class LeftBehind extends Error {
  override name = 'LeftBehind';
}

/** The ownership as of an entry. */
export interface Ownership {
  /** The position at which it began; 0: nobody has owned yet. */
  readonly epoch: number;
  readonly node: string;
  readonly url: string;
  /** The instant of the last entry, by the clock of its owner; it never goes back. */
  readonly at: number;
  /** It has ended in order. */
  readonly hasLeft: boolean;
  /** The epoch of the ownership before, when that has not ended in order; else 0. */
  readonly before: number;
}

/** A file with the state of a store, and the place that this state has in the log; src/stores/sqlite/replica.ts is one. */
export interface ReplicaFile {
  /** Its reads. Nothing is written through it. */
  readonly store: Store;
  /** The place that came with the last {@link ReplicaFile.write} that it has; null: it is new. */
  readonly place: string | null;
  /**
   * In one transaction. Rejects with a StoreTrouble when the same may succeed later; a place that the file has already is not written again. Calls MUST NOT overlap.
   */
  write(writes: Writes | null, place: string): Promise<void>;
  /** Writes a copy, as of the instant at which it begins, to a path where there is nothing yet; resolves with its place. Writes go on meanwhile. */
  copyTo(path: string): Promise<string | null>;
  close(): Promise<void>;
}

/** Its place is that of its last entry. */
export interface Replica extends LogPlace {
  /** Reads; its `write` always rejects. */
  readonly store: Store;
  /** The last entry that is applied, or held as a part of one that goes on. */
  readonly position: number;
  /** The token of that entry. */
  readonly token: string;
  readonly ownership: Ownership;
  /** Bytes of all entries that were applied since it was opened. */
  readonly bytes: number;
  /**
   * Applies the next entry; one that it has already is passed over. `writes`: the transaction that ends with it, where the caller has that. Rejects with {@link TailLost},
   * with an EntryFault for what does not belong there, and with a StoreTrouble: then it can be applied again.
   */
  apply(entry: Entry, decoded: Decoded, writes?: Writes): Promise<void>;
  /** Writes a copy to a path where there is nothing yet; resolves with the position that it has. Entries are applied meanwhile. */
  copyTo(path: string): Promise<number>;
  close(): Promise<void>;
}

interface Place extends Ownership, LogPlace {}

const BEGINNING: Place = { position: 0, token: NO_TOKEN, epoch: 0, node: '', url: '', at: 0, hasLeft: false, before: 0 };

export function replicaOf(file: ReplicaFile): Replica {
  return new FileReplica(file);
}

class FileReplica implements Replica {
  readonly store: Store;
  bytes = 0;
  private readonly file: ReplicaFile;
  private place: Place;
  /** The parts of the transaction that goes on, in their order. */
  private half: Uint8Array[] = [];
  private before: Promise<unknown> = Promise.resolve();

  constructor(file: ReplicaFile) {
    this.file = file;
    this.store = file.store;
    this.place = placeIn(file.place);
  }

  get position(): number {
    return this.place.position;
  }

  get token(): string {
    return this.place.token;
  }

  get ownership(): Ownership {
    return this.place;
  }

  apply(entry: Entry, decoded: Decoded, writes?: Writes): Promise<void> {
    // Whoever follows and whoever appends may both have it.
    const applied = this.before.then(() => this.applyNext(entry, decoded, writes));
    this.before = applied.catch(() => undefined);
    return applied;
  }

  async copyTo(path: string): Promise<number> {
    return placeIn(await this.file.copyTo(path)).position;
  }

  async close(): Promise<void> {
    await this.before;
    await this.file.close();
  }

  private async applyNext({ position, bytes }: Entry, decoded: Decoded, writes?: Writes): Promise<void> {
    const { place } = this;
    if (position <= place.position) return;
    if (position !== place.position + 1) throw new EntryFault(`entry ${position} does not follow entry ${place.position}`);
    if (decoded.prev !== place.token) {
      throw new TailLost(`entry ${position} of the log follows another entry ${place.position} than the one that this node has`);
    }
    const next = placeAfter(place, position, decoded);
    if (decoded.kind === 'batch' && decoded.part !== this.half.length + 1) {
      throw new EntryFault(`entry ${position} is part ${decoded.part} of ${decoded.parts}, after ${this.half.length} of them`);
    }
    if (decoded.kind === 'batch' && decoded.part < decoded.parts) this.half.push(decoded.bytes);
    else {
      await this.file.write(
        decoded.kind === 'batch' ? (writes ?? unpackWrites(joined([...this.half, decoded.bytes]))) : null,
        JSON.stringify(next),
      );
      this.half = [];
    }
    this.place = next;
    this.bytes += bytes.length;
  }
}

function placeIn(text: string | null): Place {
  return text === null ? BEGINNING : (JSON.parse(text) as Place);
}

/** The place after the next entry. Throws an EntryFault for an entry of an ownership that has ended, which nobody can have appended. */
function placeAfter(place: Place, position: number, decoded: Decoded): Place {
  const { kind, token } = decoded;
  const at = Math.max(place.at, decoded.at);
  if (kind === 'seed') throw new LeftBehind('the log begins after a snapshot, which this node has not got');
  if (kind === 'own') {
    const { node, url } = decoded;
    return { position, token, epoch: position, node, url, at, hasLeft: false, before: place.hasLeft ? 0 : place.epoch };
  }
  if (decoded.epoch !== place.epoch || place.hasLeft) {
    throw new EntryFault(
      `entry ${position} is of the ownership ${decoded.epoch}, while ${place.hasLeft ? 'nobody owns' : `${place.epoch} holds`}`,
    );
  }
  return { ...place, position, token, at, hasLeft: kind === 'leave' };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}

/** The place of a file whose state is that of the log's first entry, a `seed` with this token. */
export function seedPlace(token: string, at: number): string {
  return JSON.stringify({ ...BEGINNING, position: 1, token, at } satisfies Place);
}
