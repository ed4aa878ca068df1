import { inMemory, replicatedHosts } from './replicated-host.ts';
import { runtimeSuite } from './runtime-suite.ts';

runtimeSuite('the local runtime on the replicated store', replicatedHosts(inMemory(1024 * 1024)), { skip: [] });
/** Nearly every transaction takes several entries. */
runtimeSuite('the local runtime on a log of short entries', replicatedHosts(inMemory(400)), { skip: [], only: ['shutdown'] });
