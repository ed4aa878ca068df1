/** Reads the settings of a server that the promise stands on, each with a line of plain words. */
import { UnusableServer } from './errors.ts';
import type { Session } from './session.ts';

export interface ServerFact {
  readonly name: string;
  readonly value: string;
  /** True where less is kept than one would expect. */
  readonly isWarning: boolean;
  readonly meaning: string;
}

const OLDEST = 14;
const FEW_CONNECTIONS = 30;

interface Settings {
  version: string;
  number: string;
  fsync: string;
  full_page_writes: string;
  synchronous_commit: string;
  standby_names: string;
  max_connections: string;
  is_standby: boolean;
  /** Null where this user may not see it. */
  synchronous: string | null;
  standbys: string;
}

/**
 * Throws {@link UnusableServer} for a server that is too old, and a plain error for one that only reads now, since it may have taken over the next
 * time. `connections`: how many this process may make.
 */
export async function serverFacts(session: Session, connections: number): Promise<readonly ServerFact[]> {
  const [settings] = await session.ask<Settings>({
    text: `select current_setting('server_version') as version, current_setting('server_version_num') as number,
        current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
        current_setting('synchronous_commit') as synchronous_commit, current_setting('synchronous_standby_names') as standby_names,
        current_setting('max_connections') as max_connections, pg_is_in_recovery() as is_standby,
        (select count(*) from pg_stat_replication) as standbys,
        (select count(*) filter (where sync_state in ('sync', 'quorum')) from pg_stat_replication
          having bool_and(sync_state is not null) or count(*) = 0) as synchronous`,
  });
  if (settings === undefined) throw new Error('The server did not tell its settings');
  if (Number(settings.number) < OLDEST * 10_000) {
    throw new UnusableServer(`PostgreSQL ${settings.version} is too old: Sluice needs version ${OLDEST} or newer`);
  }
  if (settings.is_standby) throw new Error('This server is a standby, which only reads; the URL must lead to the primary');
  return factsOf(settings, connections);
}

/** The same from settings that have been read. */
export function factsOf(settings: Settings, connections: number): readonly ServerFact[] {
  const fact = (name: string, value: string, isWarning: boolean, meaning: string): ServerFact => ({ name, value, isWarning, meaning });
  const { fsync, full_page_writes: pages, synchronous_commit: commit, max_connections: max } = settings;
  return [
    fact('server_version', settings.version, false, `It is at least ${OLDEST}, as Sluice needs.`),
    fsync === 'on'
      ? fact('fsync', fsync, false, 'What is acknowledged is on the disk of the server.')
      : fact('fsync', fsync, true, 'A crash of the server’s machine can lose or damage everything, acknowledged or not. Turn it on.'),
    pages === 'on'
      ? fact('full_page_writes', pages, false, 'A power cut in the middle of a write damages nothing.')
      : fact('full_page_writes', pages, true, 'A power cut can damage the database unless its file system writes whole pages. Turn it on.'),
    commit === 'on' || commit === 'remote_apply'
      ? fact('synchronous_commit', commit, false, 'An entry is acknowledged when it is on disk.')
      : fact('synchronous_commit', commit, false, 'Weaker than Sluice needs, so Sluice sets it to "on" for its entries.'),
    standbysFact(settings),
    Number(max) >= FEW_CONNECTIONS
      ? fact('max_connections', max, false, `This node takes at most ${connections} of them.`)
      : fact('max_connections', max, true, `This node takes at most ${connections} of them, and so does every other one: few are left.`),
  ];
}

function standbysFact({ standby_names: names, standbys, synchronous }: Settings): ServerFact {
  const fact = (isWarning: boolean, meaning: string): ServerFact => ({
    name: 'synchronous_standby_names',
    value: names,
    isWarning,
    meaning,
  });
  if (names === '') {
    const others = standbys === '0' ? '' : ' A failover to one of its standbys can lose the last entries; Sluice then says so.';
    return fact(
      true,
      `No standby is synchronous: what is acknowledged survives crashes of the server, and not the loss of its disk.${others}`,
    );
  }
  if (synchronous === null) {
    return fact(
      false,
      'An entry is acknowledged when these standbys have it too. Whether they are there, this user may not see (pg_monitor).',
    );
  }
  if (synchronous === '0') return fact(true, 'None of these standbys is connected: nothing can be acknowledged until one is.');
  return fact(
    false,
    `An entry is acknowledged when it is on a standby too (${synchronous} connected): the loss of the server’s machine loses nothing.`,
  );
}
