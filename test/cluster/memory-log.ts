/** A log, snapshots and presence in memory, correct in everything: what others are compared with. Each backbone that is opened is another node's. */
import { readFile, writeFile } from 'node:fs/promises';
import {
  type Backbone,
  type Entry,
  type Log,
  LogConflict,
  type NodeInfo,
  type Presence,
  type Snapshots,
} from '../../src/cluster/log/log.ts';
import { NO_TOKEN, tokenOf } from '../../src/cluster/log/token.ts';

const KEPT = 2;
const LISTED_MS = 60_000;

export class MemoryLogServer {
  entries: Entry[] = [];
  readonly changed = new EventTarget();
  readonly files: { position: number; order: number; bytes: Buffer }[] = [];
  readonly nodes = new Map<string, NodeInfo & { at: number; stamp: string; by: object }>();
  private announcements = 0;
  private readonly now: () => number;
  private puts = 0;

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  open(): Backbone {
    return { log: this.log(), snapshots: this.snapshots(), presence: this.presence(), close: async () => undefined };
  }

  get last(): number {
    return this.entries.at(-1)?.position ?? 0;
  }

  private log(): Log {
    return {
      kind: 'memory',
      maxBytes: 1024 * 1024,
      append: async ({ position, token }, bytes, signal) => {
        signal?.throwIfAborted();
        if (bytes.length > 1024 * 1024) throw new RangeError('An entry may have 1048576 bytes');
        const last = this.entries.at(-1);
        const lastToken = last === undefined ? NO_TOKEN : tokenOf(last.bytes);
        if (position !== this.last || token !== lastToken)
          throw new LogConflict(`The last entry of the log is not ${position} with the token ${token}`);
        this.entries.push({ position: position + 1, bytes: Uint8Array.from(bytes) });
        this.changed.dispatchEvent(new Event('entry'));
      },
      read: async (position) => this.entries.find((entry) => entry.position === position),
      ends: async () => ({ first: this.entries[0]?.position ?? 0, last: this.last }),
      follow: async (after, each, lost) => this.follow(after, each, lost),
      trim: async (upTo) => {
        this.entries = this.entries.filter(({ position }) => position > upTo || position === this.last);
      },
      close: async () => undefined,
    };
  }

  private follow(after: number, each: (entry: Entry) => Promise<void>, lost: (why: unknown) => void): { stop(): Promise<void> } {
    let [position, isStopped] = [after, false];
    const run = async (): Promise<void> => {
      while (!isStopped) {
        const next = this.entries.find((entry) => entry.position > position);
        if (next === undefined) {
          if (this.last < position) throw new Error('The log has lost its end');
          await new Promise((resolve) => this.changed.addEventListener('entry', resolve, { once: true }));
        } else if (next.position !== position + 1) {
          throw new Error(`The entries from ${position + 1} on have been trimmed`);
        } else {
          await each(next);
          position = next.position;
        }
      }
    };
    const ended = run().catch((error: unknown) => {
      if (!isStopped) lost(error);
    });
    const stop = async (): Promise<void> => {
      isStopped = true;
      this.changed.dispatchEvent(new Event('entry'));
      await ended;
    };
    return { stop };
  }

  private snapshots(): Snapshots {
    return {
      put: async (position, file) => {
        this.files.push({ position, order: this.puts++, bytes: await readFile(file) });
        this.files.sort((a, b) => b.order - a.order).splice(KEPT);
      },
      newest: async (upTo = Number.POSITIVE_INFINITY) => {
        const [newest] = this.files.filter(({ position }) => position <= upTo).sort((a, b) => b.position - a.position || b.order - a.order);
        return newest === undefined ? null : { position: newest.position, fetch: (to) => writeFile(to, newest.bytes) };
      },
    };
  }

  private presence(): Presence {
    const by = {};
    const rows = () =>
      [...this.nodes.values()]
        .map(({ at, ...row }) => ({ ...row, agoSeconds: (this.now() - at) / 1000 }))
        .filter(({ agoSeconds }) => agoSeconds < LISTED_MS / 1000)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      announce: async (node) => void this.nodes.set(node.name, { ...node, at: this.now(), stamp: String(++this.announcements), by }),
      list: async () => rows().map(({ stamp: _, by: __, ...node }) => node),
      rivals: async ({ name, url }) => rows().filter((row) => row.by !== by && (row.name === name || row.url === url)),
      leave: async (name) => {
        if (this.nodes.get(name)?.by === by) this.nodes.delete(name);
      },
    };
  }
}
