import { randomInt } from 'node:crypto';
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import type { RunningMarks } from '../../engine/store.ts';

/** Numbers of a mark: pipeline, sequence id, `ord`. */
const CELLS = 3;
const BYTES = CELLS * 8;
/** Before the marks, as one number: the process that has the file open, and above its id the number of its life (see lineage.ts). */
const HEADER_BYTES = 8;
const PIDS = 2 ** 22;
/** Numbers of lives are below this. */
export const LIVES = 2 ** 30;
/** The first mark is of no pipeline, but says whose the others are; earlier versions pass over it. */
const NO_PIPELINE = 0;
/** An id has two of these, drawn anew by each process. */
const ID_HALF = 2 ** 48 - 1;

/**
 * A small file beside the database that says what each worker has begun last: a write to it outlives the process (not the machine),
 * and costs a microsecond. Slots that change together are written together.
 */
export class MarksFile implements RunningMarks {
  /** The marks left by the previous process. */
  readonly found: readonly { pipeline: number; seq: number; ord: number }[];
  /** That process, by an id that no other has; null when it left no marks, or was of a version that had none. */
  readonly foundOf: string | null;
  private readonly fd: number;
  private cells = new Float64Array(CELLS * 64);
  private from = Number.POSITIVE_INFINITY;
  private to = 0;
  /** True once the marks that were found are accounted for. */
  isCleared = false;

  constructor(path: string, life: number) {
    this.fd = openSync(path, existsSync(path) ? 'r+' : 'w+');
    const bytes = new Uint8Array(fstatSync(this.fd).size);
    readSync(this.fd, bytes, 0, bytes.length, 0);
    const count = Math.max(0, Math.floor((bytes.length - HEADER_BYTES) / BYTES));
    const cells = new Float64Array(bytes.slice(HEADER_BYTES, HEADER_BYTES + count * BYTES).buffer);
    const found: { pipeline: number; seq: number; ord: number }[] = [];
    this.foundOf = cells.length > 0 && cells[0] === NO_PIPELINE ? `${cells[1]}-${cells[2]}` : null;
    for (let i = 0; i < cells.length; i += CELLS) {
      const pipeline = cells[i] as number;
      if (pipeline > 0) found.push({ pipeline, seq: cells[i + 1] as number, ord: cells[i + 2] as number });
    }
    this.found = found;
    this.sign();
    writeSync(this.fd, new Uint8Array(Float64Array.of(life * PIDS + process.pid).buffer), 0, HEADER_BYTES, 0);
  }

  /** The process that has written there last. */
  static processOf(path: string): number | null {
    return MarksFile.headerOf(path) % PIDS || null;
  }

  /** The number of the life of that process; 0 when it had none, or nobody has written there. */
  static lifeOf(path: string): number {
    return Math.floor(MarksFile.headerOf(path) / PIDS);
  }

  private static headerOf(path: string): number {
    try {
      const fd = openSync(path, 'r');
      const header = new Float64Array(1);
      readSync(fd, new Uint8Array(header.buffer), 0, HEADER_BYTES, 0);
      closeSync(fd);
      return header[0] as number;
    } catch {
      return 0;
    }
  }

  /** From now on only what this process runs is noted. */
  clear(): void {
    ftruncateSync(this.fd, HEADER_BYTES);
    this.cells.fill(0);
    this.sign();
    this.isCleared = true;
  }

  set(slot: number, pipeline: number, seq: number, ord: number): void {
    this.put(1 + slot, pipeline, seq, ord);
  }

  /** Says whose marks these are, with the next of them that are written. */
  private sign(): void {
    this.put(0, NO_PIPELINE, randomInt(1, ID_HALF), randomInt(ID_HALF));
  }

  private put(place: number, pipeline: number, seq: number, ord: number): void {
    const at = place * CELLS;
    while (at >= this.cells.length) {
      const bigger = new Float64Array(this.cells.length * 2);
      bigger.set(this.cells);
      this.cells = bigger;
    }
    this.cells[at] = pipeline;
    this.cells[at + 1] = seq;
    this.cells[at + 2] = ord;
    if (at < this.from) this.from = at;
    if (at + CELLS > this.to) this.to = at + CELLS;
  }

  write(): void {
    if (this.to === 0) return;
    const bytes = new Uint8Array(this.cells.buffer, this.from * 8, (this.to - this.from) * 8);
    try {
      writeSync(this.fd, bytes, 0, bytes.length, HEADER_BYTES + this.from * 8);
    } catch {
      // A disk in trouble: the store's next write tells of it and holds the work. What is not noted here counts as not begun.
      return;
    }
    this.from = Number.POSITIVE_INFINITY;
    this.to = 0;
  }

  /** Nothing runs any more. What was found stays, unless it is accounted for. */
  close(): void {
    if (this.isCleared) this.clear();
    closeSync(this.fd);
  }
}
