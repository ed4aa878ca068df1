/** The PostgreSQL of a round: one of its own, with which anything may be done, or a schema of one that others use too. */
import { type OwnPostgres, runOnce, startOwnPostgres } from '../../cluster/postgres-binaries.ts';
import { ownSchema } from '../../cluster/postgres-service.ts';

export interface LogServer {
  readonly url: string;
  /** null: others use it too. */
  readonly own: OwnPostgres | null;
  /** Ends the connections of this round alone. */
  endConnections(): Promise<void>;
  dispose(): Promise<void>;
}

export async function startLogServer(): Promise<LogServer> {
  const own = await startOwnPostgres();
  return { ...schemaOf(own.url), own, dispose: () => own.dispose() };
}

/** A schema of its own, which is dropped in the end. */
export function schemaOf(url: string): LogServer {
  const place = ownSchema(url);
  return {
    url: place.url,
    own: null,
    endConnections: async () => {
      await runOnce(url, 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [place.schema]);
    },
    dispose: () => place.drop(),
  };
}
