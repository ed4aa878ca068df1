/** Reads a URL of the form `postgres://user:password@host:port/database?schema=sluice`; all but `schema` is for the driver. */
import { createHash } from 'node:crypto';
import { UnusableServer } from './errors.ts';

export interface PostgresPlace {
  /** Without `schema`, as the driver takes it. Holds the password. */
  readonly connectionString: string;
  readonly schema: string;
  /** For logs: without user, password and parameters. */
  readonly shown: string;
  /** The channel on which appends are told, one for each schema of a database. */
  readonly channel: string;
}

/** Names that PostgreSQL keeps as they are; they can be put between quotes without a further thought. */
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,62}$/;

/** Whether a `STORE_URL` is one of PostgreSQL, valid or not. */
export const isPostgresUrl = (url: string): boolean => /^postgres(?:ql)?:/i.test(url);

/** Throws {@link UnusableServer} when the text is not such a URL. */
export function readPostgresUrl(text: string): PostgresPlace {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new UnusableServer('The URL of a PostgreSQL store must have the form postgres://user@host/database');
  }
  const schema = url.searchParams.get('schema') ?? 'sluice';
  if (!SCHEMA_NAME.test(schema) || schema.startsWith('pg_')) {
    throw new UnusableServer(
      `"${schema}" cannot be the schema: use lower-case letters, digits and _, at most 63 of them, not beginning with a digit or with pg_`,
    );
  }
  url.searchParams.delete('schema');
  const host = url.searchParams.get('host') ?? url.host;
  const channel = `sluice_${createHash('sha256').update(schema).digest('hex').slice(0, 24)}`;
  return { connectionString: url.href, schema, shown: `${url.protocol}//${host}${url.pathname}?schema=${schema}`, channel };
}
