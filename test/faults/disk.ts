/** A disk of one's own that can be full: a tmpfs, which only root can mount. Its size is all that changes, so it is full at once. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';

const MIB = 1024 ** 2;
const SIZE = 512 * MIB;

export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** null when it cannot be mounted. */
  static mount(folder: string): SmallDisk | null {
    mkdirSync(folder);
    return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder]).status === 0 ? new SmallDisk(folder) : null;
  }

  /** No file on it grows any more. */
  fill(): void {
    const { blocks, bfree, bsize } = statfsSync(this.folder);
    // What is written meanwhile is more than what was in use: then it is asked again.
    if (!this.resize((blocks - bfree) * bsize)) this.fill();
  }

  free(): void {
    if (!this.resize(SIZE)) throw new Error('the disk does not get larger again');
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.folder]);
  }

  private resize(size: number): boolean {
    return spawnSync('mount', ['-o', `remount,size=${size}`, this.folder]).status === 0;
  }
}
