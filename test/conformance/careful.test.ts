import { runtimeSuite } from './runtime-suite.ts';
import { sqliteHosts } from './sqlite-host.ts';

/** No task is called before its item is stored as one that runs. */
runtimeSuite('the local runtime after an uncertain past', sqliteHosts({ inProcess: true, isUncertain: true }), { skip: [] });
