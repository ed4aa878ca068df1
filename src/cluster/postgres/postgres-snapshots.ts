import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { Snapshots } from '../log/log.ts';
import type { Sessions } from './sessions.ts';
import { DURABLE, quoted } from './tables.ts';

const CHUNK_BYTES = 1024 * 1024;
const KEPT = 2;
/** One that nobody has added to for this long was left half-written. */
const LEFT_SECONDS = 600;

interface Row {
  id: string;
  position: string;
  bytes: string;
  chunks: number;
  sha256: string;
}

/**
 * Files in chunks, each of a statement of its own. A snapshot is found once its row says that it is finished, which comes after all chunks in the server's own
 * log and so on its disk too. Two nodes may write at the same time: each writes its own.
 */
export class PostgresSnapshots implements Snapshots {
  private readonly sessions: Sessions;
  private readonly table: string;
  private readonly chunks: string;

  constructor(sessions: Sessions, schema: string) {
    this.sessions = sessions;
    this.table = `${quoted(schema)}.snapshots`;
    this.chunks = `${quoted(schema)}.snapshot_chunks`;
  }

  async put(position: number, file: string): Promise<void> {
    const [made] = await this.sessions.ask<{ id: string }>({
      text: `insert into ${this.table} (position) values ($1) returning id`,
      values: [position],
    });
    const id = made?.id;
    try {
      await this.finish(id, await this.send(id, file));
    } catch (error) {
      // What cannot be removed now is swept later.
      await this.sessions.ask({ text: `delete from ${this.table} where id = $1`, values: [id] }).catch(() => undefined);
      throw error;
    }
    await this.sweep();
  }

  async newest(upTo?: number): Promise<{ position: number; fetch(to: string): Promise<void> } | null> {
    const [row] = await this.sessions.ask<Row>({
      text: `select id, position, bytes, chunks, sha256 from ${this.table}
        where finished_at is not null and ($1::bigint is null or position <= $1) order by position desc, id desc limit 1`,
      values: [upTo ?? null],
    });
    if (row === undefined) return null;
    return { position: Number(row.position), fetch: (to) => this.fetch(row, to) };
  }

  private async send(id: string | undefined, file: string): Promise<{ bytes: number; chunks: number; sha256: string }> {
    const hash = createHash('sha256');
    const handle = await open(file, 'r');
    try {
      let [bytes, chunks] = [0, 0];
      for await (const chunk of handle.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        // Sent again after its connection was lost, it replaces itself.
        const kept = await this.sessions.ask({
          text: `with touched as (update ${this.table} set touched_at = clock_timestamp() where id = $1 returning id)
            insert into ${this.chunks} (snapshot, number, bytes) select id, $2::int, $3::bytea from touched
            on conflict (snapshot, number) do update set bytes = excluded.bytes returning number`,
          values: [id, chunks, chunk],
        });
        if (kept.length === 0) throw new Error('The snapshot was swept away while it was written');
        chunks++;
        bytes += chunk.length;
      }
      return { bytes, chunks, sha256: hash.digest('hex') };
    } finally {
      await handle.close();
    }
  }

  private async finish(
    id: string | undefined,
    { bytes, chunks, sha256 }: { bytes: number; chunks: number; sha256: string },
  ): Promise<void> {
    // The log is trimmed on the strength of it: it is on disk like an entry.
    const finished = await this.sessions.ask(
      {
        text: `with finished as (
            update ${this.table} set bytes = $2, chunks = $3, sha256 = $4, finished_at = clock_timestamp() where id = $1 returning id)
          select set_config('synchronous_commit', ${DURABLE}, true) from finished`,
        values: [id, bytes, chunks, sha256],
      },
      { isStrict: true },
    );
    if (finished.length === 0) throw new Error('The snapshot was swept away while it was written');
  }

  private async sweep(): Promise<void> {
    await this.sessions.ask({
      text: `delete from ${this.table} where
          (finished_at is null and touched_at < clock_timestamp() - make_interval(secs => ${LEFT_SECONDS}))
          or (finished_at is not null and id not in (
            select id from ${this.table} where finished_at is not null order by finished_at desc, id desc limit ${KEPT}))`,
    });
  }

  /** Rejects when a part is missing or damaged, and leaves no file at `to`: newer snapshots may have taken its place. */
  private async fetch({ id, bytes, chunks, sha256 }: Row, to: string): Promise<void> {
    const part = `${to}-part`;
    const hash = createHash('sha256');
    try {
      const handle = await open(part, 'w', 0o600);
      try {
        let size = 0;
        for (let number = 0; number < chunks; number++) {
          const [row] = await this.sessions.ask<{ bytes: Buffer }>({
            text: `select bytes from ${this.chunks} where snapshot = $1 and number = $2`,
            values: [id, number],
          });
          if (row === undefined) throw new Error('The snapshot was removed while it was read; there is a newer one');
          hash.update(row.bytes);
          size += row.bytes.length;
          await handle.writeFile(row.bytes);
        }
        if (size !== Number(bytes) || hash.digest('hex') !== sha256) throw new Error('The snapshot is damaged: its checksum differs');
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(part, to);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }
}
