import type { NodeInfo, Presence } from '../log/log.ts';
import type { Sessions } from './sessions.ts';
import { quoted } from './tables.ts';

/** Nodes that were last seen longer ago are not listed, and some time later forgotten. */
const LISTED_SECONDS = 60;
const FORGOTTEN_SECONDS = 86_400;

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

/** One row for each node that is there; ages are by the server's clock. */
export class PostgresPresence implements Presence {
  private readonly sessions: Sessions;
  private readonly table: string;

  constructor(sessions: Sessions, schema: string) {
    this.sessions = sessions;
    this.table = `${quoted(schema)}.nodes`;
  }

  async announce({ name, url, role, position, hands, version, format }: NodeInfo): Promise<void> {
    // Nothing stands on it, so it waits for no disk and no standby.
    await this.sessions.ask({
      text: `with swept as (delete from ${this.table} where seen_at < clock_timestamp() - make_interval(secs => ${FORGOTTEN_SECONDS}) and name <> $1),
        put as (
          insert into ${this.table} (name, url, role, position, hands, version, format, seen_at)
          values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
          on conflict (name) do update set url = excluded.url, role = excluded.role, position = excluded.position, hands = excluded.hands,
            version = excluded.version, format = excluded.format, seen_at = excluded.seen_at
          returning name)
        select set_config('synchronous_commit', 'off', true) from put`,
      values: [name, url, role, position, hands, version, format],
    });
  }

  async list(): Promise<readonly (NodeInfo & { readonly agoSeconds: number })[]> {
    const rows = await this.sessions.ask<Row>({
      text: `select name, url, role, position, hands, version, format, ago from (
          select *, greatest(0, extract(epoch from clock_timestamp() - seen_at))::float8 as ago from ${this.table}) nodes
        where ago < ${LISTED_SECONDS} order by name`,
    });
    return rows.map(({ ago, position, ...node }) => ({ ...node, position: Number(position), agoSeconds: ago }));
  }

  async leave(name: string): Promise<void> {
    await this.sessions.ask({ text: `delete from ${this.table} where name = $1`, values: [name] });
  }
}
