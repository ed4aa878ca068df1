/**
 * A disk as POSIX promises it: what was synced is there after a power cut, and of what was not, anything may be. Writes are in no order
 * between two syncs, and a sector of 512 bytes is all that is written at once. What a folder lists is its own: a new file is in it for certain once the
 * folder is synced; changes of folders come to the disk in their order, as file systems with a journal keep it.
 */
import { basename, dirname } from 'node:path';
import type { Random } from '../../engine/simulation/random.ts';

export type Step =
  | { is: 'folder' | 'file' | 'removal'; path: string }
  | { is: 'renaming'; from: string; to: string }
  | { is: 'writing'; path: string; at: number; bytes: Buffer }
  | { is: 'cutting'; path: string; size: number }
  /** `began`: how many steps were done when it began. What is written while it runs is none of its. */
  | { is: 'sync'; path: string; began: number };

/** What a power cut leaves of what was not synced. */
export const LEFT = ['none', 'all', 'some', 'torn'] as const;
export type Left = (typeof LEFT)[number];

const SECTOR = 512;

interface Writing {
  at: number;
  bytes: Buffer;
}
type Change = Writing | { size: number };

class Content {
  private bytes = Buffer.alloc(0);
  size = 0;

  apply(change: Change): void {
    if ('size' in change) this.resize(change.size);
    else this.write(change.at, change.bytes);
  }

  write(at: number, bytes: Buffer): void {
    if (at + bytes.length > this.size) this.resize(at + bytes.length);
    bytes.copy(this.bytes, at);
  }

  copy(): Content {
    const copy = new Content();
    copy.write(0, this.toBuffer());
    return copy;
  }

  toBuffer(): Buffer {
    return this.bytes.subarray(0, this.size);
  }

  private resize(size: number): void {
    if (size > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(size, this.bytes.length * 2));
      this.toBuffer().copy(larger);
      this.bytes = larger;
    } else if (size < this.size) {
      this.bytes.fill(0, size, this.size);
    }
    this.size = size;
  }
}

interface Node {
  /** A folder has none. */
  synced: Content | null;
  pending: { step: number; change: Change }[];
}

type Names = Map<string, Node>;
type Renaming = { step: number; folder: string; apply: (names: Names) => void };

export class Disk {
  private steps = 0;
  /** What the processes see. */
  private readonly names: Names = new Map();
  /** What is certain to be found after a power cut. */
  private synced: Names = new Map();
  private pending: Renaming[] = [];
  private readonly root: string;
  private readonly unsynced: RegExp | null;

  /**
   * `root` is there from the beginning, and everything is below it. It lies about paths that are `unsynced`, as a disk does that has only
   * cached what it calls synced.
   */
  constructor(root: string, unsynced: RegExp | null = null) {
    this.root = root;
    this.unsynced = unsynced;
  }

  apply(step: Step): void {
    this.steps++;
    switch (step.is) {
      case 'folder':
      case 'file': {
        if (this.names.has(step.path)) return;
        const node: Node = { synced: step.is === 'file' ? new Content() : null, pending: [] };
        this.rename(dirname(step.path), (names) => names.set(step.path, node));
        return;
      }
      case 'removal':
        this.rename(dirname(step.path), (names) => names.delete(step.path));
        return;
      case 'renaming':
        this.rename(dirname(step.to), (names) => {
          const node = names.get(step.from);
          if (node === undefined) return;
          names.delete(step.from);
          names.set(step.to, node);
        });
        return;
      case 'writing':
        this.nodeAt(step.path).pending.push({ step: this.steps, change: { at: step.at, bytes: step.bytes } });
        return;
      case 'cutting':
        this.nodeAt(step.path).pending.push({ step: this.steps, change: { size: step.size } });
        return;
      case 'sync':
        if (this.unsynced?.test(step.path) !== true) this.sync(step.path, step.began);
    }
  }

  /** What a power cut leaves now: the files, by their paths below the root, and the folders. */
  cut(left: Left, random: Random): { folders: string[]; files: Map<string, Buffer> } {
    const names = new Map(this.synced);
    const renamed = left === 'none' ? 0 : left === 'all' ? this.pending.length : random.int(0, this.pending.length);
    for (const { apply } of this.pending.slice(0, renamed)) apply(names);
    const found = { folders: [] as string[], files: new Map<string, Buffer>() };
    // A file in a folder that is not there is not there either.
    const isReached = (path: string): boolean => path === this.root || (names.has(path) && isReached(dirname(path)));
    for (const [path, node] of names) {
      if (!isReached(path)) continue;
      const name = path.slice(this.root.length + 1);
      if (node.synced === null) found.folders.push(name);
      // Of some files nearly everything survives, of others nearly nothing.
      else found.files.set(name, survivor(node, left, random.next(), random));
    }
    return found;
  }

  private rename(folder: string, apply: (names: Names) => void): void {
    apply(this.names);
    this.pending.push({ step: this.steps, folder, apply });
  }

  private nodeAt(path: string): Node {
    const node = this.names.get(path);
    if (node?.synced == null) throw new Error(`${basename(path)} was written, and nobody has made it`);
    return node;
  }

  private sync(path: string, began: number): void {
    const node = this.names.get(path);
    if (path === this.root || node?.synced === null) {
      for (const { apply } of this.pending.filter(({ step, folder }) => folder === path && step <= began)) apply(this.synced);
      this.pending = this.pending.filter(({ step, folder }) => folder !== path || step > began);
    } else if (node !== undefined) {
      for (const { change } of node.pending.filter(({ step }) => step <= began)) node.synced.apply(change);
      node.pending = node.pending.filter(({ step }) => step > began);
    }
  }
}

/** Of a file: what was synced, and of the rest as much as the cut has left. */
function survivor({ synced, pending }: Node, left: Left, share: number, random: Random): Buffer {
  const content = (synced as Content).copy();
  if (left === 'none') return content.toBuffer();
  for (const { change } of pending) {
    for (const part of left === 'torn' && 'bytes' in change ? sectorsOf(change) : [change]) {
      if (left === 'all' || random.chance(share)) content.apply(part);
    }
  }
  return content.toBuffer();
}

function sectorsOf({ at, bytes }: Writing): Writing[] {
  const sectors: Writing[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR - ((at + from) % SECTOR));
    sectors.push({ at: at + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return sectors;
}
