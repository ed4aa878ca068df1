import type { Logger } from '../../engine/ports.ts';
import { type Entry, type Log, LogConflict, type Place } from '../log/log.ts';
import { TOKEN_BYTES } from '../log/token.ts';
import { Bell } from './bell.ts';
import { Following } from './following.ts';
import { Listening } from './listening.ts';
import { Session, type SessionSettings } from './session.ts';
import type { Sessions } from './sessions.ts';
import { DURABLE, quoted } from './tables.ts';
import type { PostgresPlace } from './url.ts';

export interface PostgresLogOptions {
  readonly place: PostgresPlace;
  readonly settings: SessionSettings;
  /** For what is read. */
  readonly sessions: Sessions;
  readonly logger: Logger;
  readonly pollMs: number;
  readonly patienceMs: number;
  readonly pageBytes: number;
}

const MAX_BYTES = 8 * 1024 * 1024;
const TRIMMED_AT_ONCE = 1000;

/**
 * The log as one table. Row 0 stands before the first entry, and the last row is never trimmed, so the next entry always has a row right before it.
 *
 * An append inserts the row after `expected`, if the row `expected` is there, with that row locked. The lock looks at the newest state, whatever snapshot the statement began with: a
 * row that a trim has removed meanwhile is not there, and one that is there proves that nothing after it was ever trimmed, so an entry in the place
 * would be found by the primary key. Neither the key alone nor `expected = max(position)` says that: a statement that slept while others
 * appended and trimmed would put its row where another one has been.
 *
 * The row before has to be the very entry that the caller means, by its token: a server that takes over without the last rows of the one before gets new ones in
 * their positions, and may be sent an append that was meant for the old ones.
 */
export class PostgresLog implements Log {
  readonly kind = 'postgresql';
  readonly maxBytes = MAX_BYTES;
  private readonly options: PostgresLogOptions;
  private readonly table: string;
  private readonly appends: Session;
  private readonly bell = new Bell();
  private readonly listening: Listening;
  private readonly followings = new Map<Following, Promise<void>>();

  constructor(options: PostgresLogOptions) {
    const { place, settings, logger } = options;
    this.options = options;
    this.table = `${quoted(place.schema)}.log`;
    this.appends = new Session(settings);
    this.listening = new Listening(settings, place.channel, this.bell, logger);
  }

  async append(after: Place, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (bytes.byteLength > MAX_BYTES) throw new RangeError(`An entry may have ${MAX_BYTES} bytes, not ${bytes.byteLength}`);
    // The commit waits for the disk whatever the server's setting is, and for the standby to apply it where the server asks for that.
    const appended = await this.appends.ask(
      {
        text: `with added as (
            insert into ${this.table} (position, bytes)
            select position + 1, $2::bytea from ${this.table}
            where position = $1::bigint and ($1::bigint = 0 or substr(sha256(bytes), 1, ${TOKEN_BYTES}) = decode($4, 'hex')) for key share
            on conflict do nothing returning position)
          select pg_notify($3, position::text),
            set_config('synchronous_commit', ${DURABLE}, true)
          from added`,
        values: [after.position, asBuffer(bytes), this.options.place.channel, after.token],
      },
      // Told to cease waiting for its standby, PostgreSQL warns and answers as if all were well.
      { signal, isStrict: true },
    );
    if (appended.length === 0) throw new LogConflict(`The last entry of the log is not ${after.position} with the token ${after.token}`);
  }

  async read(position: number): Promise<Entry | undefined> {
    const [row] = await this.options.sessions.ask<{ bytes: Uint8Array }>({
      text: `select bytes from ${this.table} where position = $1 and position > 0`,
      values: [position],
    });
    return row === undefined ? undefined : { position, bytes: row.bytes };
  }

  async ends(): Promise<{ first: number; last: number }> {
    const [row] = await this.options.sessions.ask<{ first: string | null; last: string | null }>({
      text: `select (select min(position) from ${this.table} where position > 0) as first, (select max(position) from ${this.table}) as last`,
    });
    return { first: Number(row?.first ?? 0), last: Number(row?.last ?? 0) };
  }

  async follow(after: number, each: (entry: Entry) => Promise<void>, lost: (why: unknown) => void): Promise<{ stop(): Promise<void> }> {
    this.listening.start();
    const { sessions, pollMs, patienceMs, pageBytes } = this.options;
    const following = new Following({ sessions, table: this.table, bell: this.bell, pollMs, patienceMs, pageBytes }, after, each);
    const ended = following
      .run()
      .catch((error: unknown) => {
        if (!following.isStopped) lost(error);
      })
      .finally(() => this.followings.delete(following));
    this.followings.set(following, ended);
    const stop = async (): Promise<void> => {
      following.stop();
      await ended;
    };
    return { stop };
  }

  async trim(upTo: number): Promise<void> {
    const { first, last } = await this.ends();
    const end = Math.min(upTo, last - 1);
    // In steps, so that no transaction takes long. The last row is looked up again, since it may be another one in a log that has lost its end.
    for (let to = Math.max(first - 1, 0); to < end; ) {
      to = Math.min(to + TRIMMED_AT_ONCE, end);
      await this.options.sessions.ask({
        text: `delete from ${this.table} where position <= least($1::bigint, (select max(position) from ${this.table}) - 1)`,
        values: [to],
      });
    }
  }

  async close(): Promise<void> {
    for (const following of this.followings.keys()) following.stop();
    await Promise.all([...this.followings.values(), this.listening.stop(), this.appends.close()]);
  }
}

/** The same bytes, as the driver sends them without a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
