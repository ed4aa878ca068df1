import { onTestFinished } from 'vitest';
import type { Log } from '../../src/cluster/log/log.ts';
import { openPostgres } from '../../src/cluster/postgres/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { findPostgres, ownSchema } from '../cluster/postgres-service.ts';
import { replicatedHosts } from './replicated-host.ts';
import { runtimeSuite } from './runtime-suite.ts';

const url = await findPostgres();

/** A log in a schema of its own, which goes with its test. */
async function openLog(): Promise<Log> {
  const { url: place, drop } = ownSchema(url as string);
  onTestFinished(drop);
  const { backbone } = await openPostgres({ url: place, logger: silentLogger });
  onTestFinished(() => backbone.close());
  return backbone.log;
}

if (url !== null) runtimeSuite('the local runtime on a log in PostgreSQL', replicatedHosts(openLog), { skip: [] });
