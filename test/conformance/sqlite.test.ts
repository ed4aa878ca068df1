import { runtimeSuite } from './runtime-suite.ts';
import { sqliteHosts } from './sqlite-host.ts';

/*
 * A thread for each of the 257 hosts would be most of what the suite costs, so the whole of it writes in this one. The section in which feeds,
 * ends and the closing of a host meet the store's pace runs with the writer's thread too; so does everything in test/e2e and test/faults.
 */
runtimeSuite('the local runtime on the SQLite store', sqliteHosts({ inProcess: true }), { skip: [] });
runtimeSuite('the local runtime on the SQLite store with a thread that writes', sqliteHosts({ inProcess: false }), {
  skip: [],
  only: ['shutdown'],
});
