import { ORDER } from '../store.ts';

/** Names of facts about chunks begin so; the number of the chunk follows. */
const CHUNK = `${ORDER} `;
/** Runs of a chunk. The last chunk is written again with each flush, so it has to be small. */
const RUNS = 32;

/** Consecutive events of one pipeline in the common order: `count` of them from `from` on. */
export interface StoredRun {
  pipeline: number;
  from: number;
  count: number;
}

interface Chunk {
  no: number;
  /** The common number of its first event, and the one after its last. */
  base: number;
  end: number;
}

interface StoredChunk {
  base: number;
  /** Three numbers for each run: its pipeline, its first event, how many. */
  runs: number[];
}

/**
 * The common order of events as facts of the store: chunks of a few runs. New runs are added to the last chunk. Chunks whose events no reader can ask for
 * any more are removed, but for the last one, which says how far the numbers have come.
 */
export class OrderChunks {
  private chunks: Chunk[] = [];
  /** The runs of the last chunk, as {@link StoredChunk.runs}. */
  private tail: number[] = [];
  private next = 0;
  /** True when the last chunk has changed since it was taken. */
  private isAhead = false;
  private readonly changed = new Map<string, string | null>();

  /** Returns the runs that the facts hold, and the common number of the first event of them. */
  restore(facts: Readonly<Record<string, string>>): { base: number; runs: StoredRun[] } {
    const stored = chunksIn(facts);
    const found: StoredRun[] = [];
    for (const [no, json] of stored) {
      const { base, runs } = JSON.parse(json) as StoredChunk;
      let end = base;
      for (let i = 0; i < runs.length; i += 3) {
        const [pipeline, from, count] = runs.slice(i, i + 3) as [number, number, number];
        found.push({ pipeline, from, count });
        end += count;
      }
      this.chunks.push({ no, base, end });
      this.tail = runs;
      this.next = no + 1;
    }
    return { base: this.chunks[0]?.base ?? 1, runs: found };
  }

  /** Removes what the facts hold of another order. */
  replace(facts: Readonly<Record<string, string>>): void {
    for (const [no] of chunksIn(facts)) this.changed.set(CHUNK + no, null);
  }

  add({ pipeline, from, count }: StoredRun): void {
    const { tail } = this;
    let chunk = this.chunks.at(-1);
    if (chunk !== undefined && tail.at(-3) === pipeline) tail[tail.length - 1] = (tail.at(-1) as number) + count;
    else if (chunk !== undefined && tail.length < RUNS * 3) tail.push(pipeline, from, count);
    else {
      this.writeTail();
      const base = chunk?.end ?? 1;
      chunk = { no: this.next++, base, end: base };
      this.chunks.push(chunk);
      this.tail = [pipeline, from, count];
    }
    chunk.end += count;
    this.isAhead = true;
  }

  /** The facts that have changed since the last call. `oldest`: the first common number that a reader can ask for. */
  take(oldest: number): [string, string | null][] {
    this.writeTail();
    let gone = 0;
    while (gone < this.chunks.length - 1 && (this.chunks[gone] as Chunk).end <= oldest) {
      this.changed.set(CHUNK + (this.chunks[gone] as Chunk).no, null);
      gone++;
    }
    if (gone > 0) this.chunks.splice(0, gone);
    const facts = [...this.changed];
    this.changed.clear();
    return facts;
  }

  private writeTail(): void {
    const chunk = this.chunks.at(-1);
    if (!this.isAhead || chunk === undefined) return;
    this.isAhead = false;
    this.changed.set(CHUNK + chunk.no, JSON.stringify({ base: chunk.base, runs: this.tail } satisfies StoredChunk));
  }
}

/** In the order of their numbers. */
function chunksIn(facts: Readonly<Record<string, string>>): [no: number, json: string][] {
  return Object.entries(facts)
    .filter(([name]) => name.startsWith(CHUNK))
    .map(([name, json]): [number, string] => [Number(name.slice(CHUNK.length)), json])
    .sort(([a], [b]) => a - b);
}
