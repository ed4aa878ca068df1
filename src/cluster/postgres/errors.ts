/** The kinds of faults that PostgreSQL and the way to it have. */
import { DatabaseError } from 'pg';

/** The server, the database or the URL cannot be used, and trying again without a change is useless. */
export class UnusableServer extends Error {
  override name = 'UnusableServer';
}

/** The server did not answer in time. Its connection is thrown away; the statement may have been carried out, or may be yet. */
export class NoAnswer extends Error {
  override name = 'NoAnswer';
}

/** SQLSTATE codes under which a server refuses or ends connections for a while: it starts, stops, is full, or was told to end this one. */
const PASSING = new Set(['57P01', '57P02', '57P03', '57P05', '53300']);
/** Faults that somebody has to mend first, each with what to do. */
const LASTING: Readonly<Record<string, string>> = {
  '28P01': 'the user or the password is wrong',
  '28000': 'this user may not connect; see pg_hba.conf of the server',
  '3D000': 'there is no such database; create it first',
  '42501': 'the user lacks a privilege; it needs CREATE on the database, or to own the schema',
};

/** Whether the connection was lost or refused: no statement of ours is at fault, and another connection may do. */
export function isConnectionFault(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return error instanceof Error;
  return error.code !== undefined && (PASSING.has(error.code) || error.code.startsWith('08'));
}

/** Why the server cannot be used now, in words that callers may read. */
export function passingReason(error: unknown): string {
  if (error instanceof NoAnswer) return 'its database does not answer';
  return isConnectionFault(error) ? 'its database cannot be reached' : 'its database reports an error';
}

/** Turns an error that no repetition mends into an {@link UnusableServer}; undefined for any other. `namesUser`: whether the URL does. */
export function lastingFault(error: unknown, shown: string, namesUser = true): UnusableServer | undefined {
  if (error instanceof UnusableServer) return error;
  const advice = error instanceof DatabaseError && error.code !== undefined ? LASTING[error.code] : undefined;
  if (advice === undefined) return undefined;
  const unnamed =
    namesUser || !(error as DatabaseError).code?.startsWith('28')
      ? ''
      : '; the URL names none, so that of the system is taken: write postgres://user@host/database';
  return new UnusableServer(`${shown} cannot be used: ${advice}${unnamed} (${(error as Error).message})`, { cause: error });
}
