import { type Replica, type ReplicaFile, replicaOf } from '../../../src/cluster/replica.ts';
import type { Store, Writes } from '../../../src/engine/store.ts';

interface Version {
  place: string | null;
  /** What was written, in its order. */
  ids: readonly number[];
}

/** The file of a node, as its disk has it: each transaction is a version of it. */
export class Disk {
  private versions: Version[] = [{ place: null, ids: [] }];

  get ids(): readonly number[] {
    return this.current.ids;
  }

  get place(): string | null {
    return this.current.place;
  }

  open(): Replica {
    return replicaOf(this.file());
  }

  remove(): void {
    this.versions = [{ place: null, ids: [] }];
  }

  setAside(): string {
    this.remove();
    return 'elsewhere';
  }

  /** The last transactions were not synced. */
  powerCut(count: number): void {
    this.versions.splice(Math.max(1, this.versions.length - count));
  }

  private get current(): Version {
    return this.versions.at(-1) as Version;
  }

  private file(): ReplicaFile {
    const disk = this;
    return {
      store: EMPTY_STORE,
      get place() {
        return disk.place;
      },
      async write(writes, place) {
        const id = idIn(writes);
        disk.versions.push({ place, ids: id === null ? disk.ids : [...disk.ids, id] });
        if (disk.versions.length > 8) disk.versions.shift();
      },
      async copyTo() {
        throw new Error('nobody copies here');
      },
      async close() {},
    };
  }
}

const EMPTY_STORE = { pipelines: () => [] } as unknown as Store;

/** The one number that a transaction of the simulation says. */
function idIn(writes: Writes | null): number | null {
  const fact = writes?.pipelines[0]?.facts[0]?.[1];
  return fact === undefined || fact === null ? null : Number(fact);
}
