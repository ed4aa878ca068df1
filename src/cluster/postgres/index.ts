/*
 * Room `postgres`: PostgreSQL as the server of a cluster: the log that orders and keeps, snapshots, and who is there, in one schema of one database.
 *
 *     PostgresLog ── appends: 1 connection
 *          └──────── Listening: 1 connection, from the first follower on
 *     everything else ── Sessions: up to 3 connections
 *
 * A connection that fails or is silent is destroyed, and the next statement makes another: that costs a retry, and no more. No statement needs the session of
 * another one, so a pooler that gives each a different one will do; without LISTEN entries are polled for.
 *
 * Holds: What was appended is on the server's disk before that is answered, and the last row of the log is never trimmed.
 * Refuses: to know of entries, ownership and files: it keeps bytes at positions. A server that a newer version has made is left as it is.
 */
import type { Logger } from '../../engine/ports.ts';
import { StoreTrouble } from '../../engine/store.ts';
import type { Backbone } from '../log/log.ts';
import { lastingFault, passingReason } from './errors.ts';
import { PostgresLog } from './postgres-log.ts';
import { PostgresPresence } from './postgres-presence.ts';
import { PostgresSnapshots } from './postgres-snapshots.ts';
import { type ServerFact, serverFacts } from './server-facts.ts';
import { Session, type SessionSettings } from './session.ts';
import { Sessions } from './sessions.ts';
import { makeTables } from './tables.ts';
import { readPostgresUrl } from './url.ts';

export { NoAnswer, UnusableServer } from './errors.ts';
export type { ServerFact } from './server-facts.ts';
export { isPostgresUrl, readPostgresUrl } from './url.ts';

export interface PostgresOptions {
  /** As `STORE_URL`. */
  readonly url: string;
  readonly logger: Logger;
  /** False: a schema without tables is a fault. */
  readonly mayCreate?: boolean;
  readonly connectMs?: number;
  /** How long any answer may take; an append is given up by its signal too. */
  readonly answerMs?: number;
  /** How often followers look for entries that nobody has told them of. */
  readonly pollMs?: number;
  /** For how long a follower tries to read a log that is unreachable. */
  readonly patienceMs?: number;
  /** How much of the log a follower reads at a time; at least one entry. */
  readonly pageBytes?: number;
}

export interface OpenedPostgres {
  readonly backbone: Backbone;
  readonly server: readonly ServerFact[];
  /** The URL without what is secret in it. */
  readonly shown: string;
}

const READERS = 3;
const CONNECTIONS = READERS + 2;
const ANSWER_MS = 5000;
const POLL_MS = 1000;
const PAGE_BYTES = 4 * 1024 * 1024;

/**
 * Checks the server, and makes the schema and the tables where they are missing. Throws `UnusableServer` when something has to be changed first, and a
 * `StoreTrouble` when it may work later without a change.
 */
export async function openPostgres(options: PostgresOptions): Promise<OpenedPostgres> {
  const {
    url,
    logger,
    connectMs = ANSWER_MS,
    answerMs = ANSWER_MS,
    pollMs = POLL_MS,
    patienceMs = ANSWER_MS,
    pageBytes = PAGE_BYTES,
  } = options;
  const place = readPostgresUrl(url);
  const { connectionString, schema, shown } = place;
  const settings: SessionSettings = { connectionString, connectMs, answerMs };
  const first = new Session(settings);
  let server: readonly ServerFact[];
  try {
    server = await serverFacts(first, CONNECTIONS);
    await makeTables(first, place, options.mayCreate ?? true);
  } catch (error) {
    const cause = new Error(`${shown} cannot be used now: ${textOf(error)}`, { cause: error });
    throw lastingFault(error, shown, place.namesUser) ?? new StoreTrouble(passingReason(error), cause);
  } finally {
    await first.close();
  }
  const sessions = new Sessions(settings, READERS);
  const log = new PostgresLog({ place, settings, sessions, logger, pollMs, patienceMs, pageBytes });
  const backbone: Backbone = {
    log,
    snapshots: new PostgresSnapshots(sessions, schema),
    presence: new PostgresPresence(sessions, schema),
    close: async () => {
      await log.close();
      await sessions.close();
    },
  };
  return { backbone, server, shown };
}

/** Several addresses that all refused leave one error without a text. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join('; ');
  return error instanceof Error ? error.message : String(error);
}
