import type { Entry } from '../log/log.ts';
import type { Bell } from './bell.ts';
import type { Sessions } from './sessions.ts';

export interface FollowingDeps {
  readonly sessions: Sessions;
  readonly table: string;
  readonly bell: Bell;
  /** Entries are looked for this often when nobody tells of them. */
  readonly pollMs: number;
  /** A log that has been unreachable for this long is given up. */
  readonly patienceMs: number;
  readonly pageBytes: number;
}

const PAGE_ENTRIES = 1000;
const AGAIN_MS = 200;

interface Row {
  last: string;
  position: string | null;
  bytes: Uint8Array;
}

/** Reads the entries after a position in pages, each of at least one entry, and goes on as they come. */
export class Following {
  private readonly deps: FollowingDeps;
  private readonly each: (entry: Entry) => Promise<void>;
  private position: number;
  isStopped = false;
  private giveUp: (why: Error) => void = () => undefined;

  constructor(deps: FollowingDeps, after: number, each: (entry: Entry) => Promise<void>) {
    this.deps = deps;
    this.position = after;
    this.each = each;
  }

  /** Ends when it is stopped, when the call of `each` under way has settled, and without waiting for an answer of the server; rejects when it cannot go on. */
  async run(): Promise<void> {
    const { bell, pollMs } = this.deps;
    while (!this.isStopped) {
      const { rings } = bell;
      const { last, entries } = await this.page();
      if (entries.length === 0 && last < this.position) {
        throw new Error(`The log ends at ${last}, and ${this.position} has been read: it has lost its end`);
      }
      for (const entry of entries) {
        if (this.isStopped) return;
        if (entry.position !== this.position + 1) throw new Error(`The entries from ${this.position + 1} on have been trimmed`);
        await this.each(entry);
        this.position = entry.position;
      }
      if (this.position >= last && !this.isStopped) await bell.wait(rings, pollMs);
    }
  }

  stop(): void {
    this.isStopped = true;
    this.giveUp(new Error('nobody follows any more'));
    this.deps.bell.ring();
  }

  private async page(): Promise<{ last: number; entries: Entry[] }> {
    const since = performance.now();
    for (;;) {
      try {
        return await this.read();
      } catch (error) {
        if (this.isStopped || performance.now() - since >= this.deps.patienceMs) throw error;
        await this.unlessStopped(new Promise((resolve) => setTimeout(resolve, AGAIN_MS)));
      }
    }
  }

  private async read(): Promise<{ last: number; entries: Entry[] }> {
    const { sessions, table, pageBytes } = this.deps;
    const asked = sessions.ask<Row>({
      text: `select ends.last, page.position, page.bytes
        from (select max(position) as last from ${table}) ends
        left join lateral (
          select position, bytes from (
            select position, bytes, sum(octet_length(bytes)) over upwards as total, row_number() over upwards as number
            from (select position, bytes from ${table} where position > $1 order by position limit ${PAGE_ENTRIES}) ahead
            window upwards as (order by position)) counted
          where number = 1 or total <= $2) page on true
        order by page.position`,
      values: [this.position, pageBytes],
    });
    const rows = await this.unlessStopped(asked);
    const entries = rows.flatMap(({ position, bytes }) => (position === null ? [] : [{ position: Number(position), bytes }]));
    return { last: Number(rows[0]?.last ?? 0), entries };
  }

  /** The same, but rejects as soon as this is stopped. */
  private unlessStopped<T>(work: Promise<T>): Promise<T> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    this.giveUp = reject;
    return Promise.race([work, stopped]);
  }
}
