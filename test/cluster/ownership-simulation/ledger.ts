import { unpackEntry } from '../../../src/cluster/entry/entry.ts';
import { unpackWrites } from '../../../src/cluster/entry/writes.ts';
import { NO_TOKEN } from '../../../src/cluster/log/token.ts';
import type { FaultLog } from '../fault-log.ts';

/** A rule of the cluster that was broken. */
export class Broken extends Error {
  override name = 'Broken';
}

interface Committed {
  at: number;
  epoch: number;
  node: string | null;
  token: string;
  kind: string;
  id: number | null;
}

/** Everything that the log has, as seen from outside, and what was answered. */
export class Ledger {
  readonly committed: Committed[] = [];
  readonly acknowledged = new Set<number>();
  /** Taken from the log by a nemesis: nobody promises anything about them. */
  readonly lost = new Set<number>();
  /** When the log lost its tail. */
  lostAt = Number.NEGATIVE_INFINITY;
  private readonly server: FaultLog;
  private readonly now: () => number;

  constructor(server: FaultLog, now: () => number) {
    this.server = server;
    this.now = now;
  }

  get epoch(): number {
    return this.committed.at(-1)?.epoch ?? 0;
  }

  get hasLeft(): boolean {
    return this.committed.at(-1)?.kind === 'leave';
  }

  /** The last entry, which has just come. */
  readonly enter = (): void => {
    const { server, epoch } = this;
    const position = server.last;
    const entry = unpackEntry(server.entries.get(position) as Uint8Array);
    if (position !== this.committed.length + 1) throw new Broken(`entry ${position} came after ${this.committed.length} others`);
    const before = this.committed.at(-1)?.token ?? NO_TOKEN;
    if (entry.prev !== before) throw new Broken(`entry ${position} does not come after the one before`);
    const id = entry.kind === 'batch' ? Number(unpackWrites(entry.bytes).pipelines[0]?.facts[0]?.[1]) : null;
    if (entry.kind !== 'own' && 'epoch' in entry && entry.epoch !== epoch)
      throw new Broken(`an entry of ownership ${entry.epoch} was accepted in that of ${epoch}`);
    if (id !== null && this.committed.some((other) => other.id === id)) throw new Broken(`write ${id} is in the log twice`);
    this.committed.push({
      ...{ at: this.now(), token: entry.token, kind: entry.kind, id },
      epoch: entry.kind === 'own' ? position : epoch,
      node: entry.kind === 'own' ? entry.node : null,
    });
  };

  loseTail(count: number): void {
    for (let i = 0; i < count && this.committed.length > 0; i++) {
      const id = this.committed.pop()?.id ?? null;
      if (id !== null) this.lost.add(id);
    }
    this.lostAt = this.now();
  }

  acknowledge(id: number): void {
    if (!this.lost.has(id) && !this.committed.some((entry) => entry.id === id))
      throw new Broken(`write ${id} was answered, and the log lacks it`);
    this.acknowledged.add(id);
  }

  /** A node answers a reader, or begins something, as the owner since `epoch`, with these writes in its file. */
  expectOwner(node: string, epoch: number | null, ids: readonly number[], leaseMs: number, what: string): void {
    // Who applied what is lost does not know it yet.
    if (this.now() - this.lostAt < 2 * leaseMs) return;
    if (epoch !== this.epoch) throw new Broken(`${node} ${what} as owner since ${epoch}, while another owns since ${this.epoch}`);
    const last = this.committed.findLast((entry) => entry.epoch === epoch)?.at ?? 0;
    if (this.now() - last >= leaseMs) throw new Broken(`${node} ${what} ${this.now() - last} ms after its last entry`);
    const has = new Set(ids);
    for (const id of this.acknowledged)
      if (!has.has(id) && !this.lost.has(id)) throw new Broken(`${node} ${what} without the acknowledged write ${id}`);
  }

  get ids(): number[] {
    return this.committed.flatMap(({ id }) => (id === null ? [] : [id]));
  }

  expectAllThere(): void {
    const there = new Set(this.ids);
    for (const id of this.acknowledged) if (!there.has(id) && !this.lost.has(id)) throw new Broken(`the acknowledged write ${id} is lost`);
  }
}
