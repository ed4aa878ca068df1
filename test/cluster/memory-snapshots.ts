import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Snapshots } from '../../src/cluster/log/log.ts';
import { folderWith } from '../loader/folder.ts';

/** Snapshots in a folder that goes with its test. */
export class FolderSnapshots implements Snapshots {
  readonly kept: number[] = [];
  /** Why the next call fails. */
  fault: Error | null = null;
  /** Awaited in each `put`. */
  hold: Promise<void> = Promise.resolve();
  private readonly folder = folderWith();

  async put(position: number, file: string): Promise<void> {
    await this.hold;
    this.fail();
    copyFileSync(file, this.pathOf(position));
    this.kept.push(position);
  }

  async newest(upTo = Number.POSITIVE_INFINITY): Promise<{ position: number; fetch(to: string): Promise<void> } | null> {
    const position = this.kept.filter((kept) => kept <= upTo).at(-1);
    if (position === undefined) return null;
    const fetch = async (to: string): Promise<void> => {
      this.fail();
      copyFileSync(this.pathOf(position), to);
    };
    return { position, fetch };
  }

  private fail(): void {
    const { fault } = this;
    this.fault = null;
    if (fault !== null) throw fault;
  }

  private pathOf(position: number): string {
    return join(this.folder, `${position}.db`);
  }
}
