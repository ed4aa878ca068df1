import { type Stats, statSync } from 'node:fs';

/**
 * Whether the files that a connection has open are still those at their paths. What is written to a file that was removed or replaced reaches
 * nobody, and SQLite does not say so.
 */
export class Presence {
  private readonly files: { path: string; dev: number; ino: number }[] = [];

  /** The database and its log, which are there. */
  constructor(file: string) {
    for (const path of [file, `${file}-wal`]) {
      const { dev, ino } = statSync(path);
      this.files.push({ path, dev, ino });
    }
  }

  /** Why nothing can be written; null when all is as it was. */
  fault(): string | null {
    for (const { path, dev, ino } of this.files) {
      let found: Stats | undefined;
      try {
        found = statSync(path, { throwIfNoEntry: false });
      } catch (error) {
        return `its files cannot be reached any more: ${(error as NodeJS.ErrnoException).code}`;
      }
      const what = path.endsWith('-wal') ? 'its log (-wal)' : 'the file';
      if (found === undefined) return `${what} has been removed`;
      if (found.ino !== ino || found.dev !== dev) return `${what} has been replaced`;
    }
    return null;
  }
}
