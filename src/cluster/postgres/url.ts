/**
 * Reads a URL of the form `postgres://user:password@host:port/database?schema=sluice`; all but `schema` is for the driver. The driver passes over what it does not know, so a misspelt
 * `schema` would make another one: only names that stand in https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS, or are the driver's, are accepted.
 */
import { createHash } from 'node:crypto';
import { UnusableServer } from './errors.ts';

export interface PostgresPlace {
  /** Without `schema`, as the driver takes it. Holds the password. */
  readonly connectionString: string;
  readonly schema: string;
  /** For logs: without user, password and parameters. */
  readonly shown: string;
  /** False: the driver takes the name of the system's user, or `PGUSER`. */
  readonly namesUser: boolean;
  /** The channel on which appends are told, one for each schema of a database. */
  readonly channel: string;
}

/** Names that PostgreSQL keeps as they are; they can be put between quotes without a further thought. */
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,62}$/;

const PARAMETERS: ReadonlySet<string> = new Set(
  (
    'schema host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout client_encoding options application_name fallback_application_name ' +
    'keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout replication gssencmode sslmode requiressl sslnegotiation sslcompression sslcert sslkey ' +
    'sslkeylogfile sslpassword sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version ssl_max_protocol_version min_protocol_version ' +
    'max_protocol_version krbsrvname gsslib gssdelegation service target_session_attrs load_balance_hosts ' +
    'ssl uselibpqcompat statement_timeout lock_timeout query_timeout idle_in_transaction_session_timeout keepalive binary encoding db pgbouncer'
  ).split(' '),
);

/** Whether a `STORE_URL` is one of PostgreSQL, valid or not. */
export const isPostgresUrl = (url: string): boolean => /^postgres(?:ql)?:/i.test(url);

/** Throws {@link UnusableServer} when the text is not such a URL. */
export function readPostgresUrl(text: string): PostgresPlace {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(?:ql)?:[/]{2}/i.test(text.trim())) {
    throw new UnusableServer('The URL of a PostgreSQL store must have the form postgres://user@host/database');
  }
  expectDecodable(url);
  expectParameters([...url.searchParams.keys()]);
  const schema = url.searchParams.get('schema') ?? 'sluice';
  if (!SCHEMA_NAME.test(schema) || schema.startsWith('pg_')) {
    throw new UnusableServer(
      `"${schema}" cannot be the schema: use lower-case letters, digits and _, at most 63 of them, not beginning with a digit or with pg_`,
    );
  }
  url.searchParams.delete('schema');
  const host = url.searchParams.get('host') ?? url.host;
  const channel = `sluice_${createHash('sha256').update(schema).digest('hex').slice(0, 24)}`;
  const namesUser = url.username !== '' || url.searchParams.has('user');
  return { connectionString: url.href, schema, namesUser, shown: `${url.protocol}//${host}${url.pathname}?schema=${schema}`, channel };
}

/** The driver takes them apart, and would throw no fault of ours. What is shown of them is their name. */
function expectDecodable({ username, password, pathname }: URL): void {
  for (const [what, text] of [
    ['user', username],
    ['password', password],
    ['database', pathname],
  ] as const) {
    try {
      decodeURIComponent(text);
    } catch {
      throw new UnusableServer(`The ${what} in the URL of a PostgreSQL store is not valid percent-encoding: write a % in it as %25`);
    }
  }
}

function expectParameters(names: readonly string[]): void {
  const unknown = names.find((name) => !PARAMETERS.has(name));
  if (unknown !== undefined) {
    throw new UnusableServer(
      `The URL of a PostgreSQL store has the parameter "${unknown}", which nobody reads; that of the schema is called schema`,
    );
  }
  if (names.filter((name) => name === 'schema').length > 1)
    throw new UnusableServer('The URL of a PostgreSQL store names more than one schema');
}
