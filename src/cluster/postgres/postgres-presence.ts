import type { NodeInfo, Presence, Rival } from '../log/log.ts';
import type { Sessions } from './sessions.ts';
import { quoted } from './tables.ts';

/** Nodes that were last seen longer ago are not listed, and some time later forgotten. */
const LISTED_SECONDS = 60;
const FORGOTTEN_SECONDS = 86_400;
/** The instant at which a row was written, in microseconds: the same text whatever the settings of a session are. */
const STAMP = '(extract(epoch from seen_at) * 1000000)::bigint::text';

interface Row {
  name: string;
  url: string;
  role: NodeInfo['role'];
  position: string;
  hands: number;
  version: string;
  format: number;
  ago: number;
}

/**
 * One row for each node that is there; ages are by the server's clock. Whose row it is shows by its instant: who has written it knows that one. It takes no column of its
 * own, so it tells of nodes of every version.
 */
export class PostgresPresence implements Presence {
  private readonly sessions: Sessions;
  private readonly table: string;
  /** By name: the stamp that this process wrote last; null while it is not known, since the answer was lost. */
  private readonly written = new Map<string, string | null>();

  constructor(sessions: Sessions, schema: string) {
    this.sessions = sessions;
    this.table = `${quoted(schema)}.nodes`;
  }

  async announce({ name, url, role, position, hands, version, format }: NodeInfo): Promise<void> {
    this.written.set(name, null);
    // Nothing stands on it, so it waits for no disk and no standby.
    const [row] = await this.sessions.ask<{ stamp: string }>({
      text: `with swept as (delete from ${this.table} where seen_at < clock_timestamp() - make_interval(secs => ${FORGOTTEN_SECONDS}) and name <> $1),
        put as (
          insert into ${this.table} (name, url, role, position, hands, version, format, seen_at)
          values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
          on conflict (name) do update set url = excluded.url, role = excluded.role, position = excluded.position, hands = excluded.hands,
            version = excluded.version, format = excluded.format, seen_at = excluded.seen_at
          returning ${STAMP} as stamp)
        select stamp, set_config('synchronous_commit', 'off', true) from put`,
      values: [name, url, role, position, hands, version, format],
    });
    this.written.set(name, row?.stamp ?? null);
  }

  async list(): Promise<readonly (NodeInfo & { readonly agoSeconds: number })[]> {
    const rows = await this.sessions.ask<Row>({
      text: `select name, url, role, position, hands, version, format, ago from (
          select *, greatest(0, extract(epoch from clock_timestamp() - seen_at))::float8 as ago from ${this.table}) nodes
        where ago < ${LISTED_SECONDS} order by name`,
    });
    return rows.map(({ ago, position, ...node }) => ({ ...node, position: Number(position), agoSeconds: ago }));
  }

  async rivals({ name, url }: Pick<NodeInfo, 'name' | 'url'>): Promise<readonly Rival[]> {
    const mine = this.written.get(name);
    const rows = await this.sessions.ask<Rival>({
      text: `select name, url, ago as "agoSeconds", stamp from (
          select *, greatest(0, extract(epoch from clock_timestamp() - seen_at))::float8 as ago, ${STAMP} as stamp from ${this.table}
          where name = $1 or url = $2) nodes
        where ago < ${LISTED_SECONDS} order by name`,
      values: [name, url],
    });
    return rows.filter((row) => row.name !== name || (mine !== null && row.stamp !== mine));
  }

  async leave(name: string): Promise<void> {
    const mine = this.written.get(name);
    if (mine === undefined) return;
    await this.sessions.ask({
      text: `delete from ${this.table} where name = $1 and ($2::text is null or ${STAMP} = $2)`,
      values: [name, mine],
    });
  }
}
