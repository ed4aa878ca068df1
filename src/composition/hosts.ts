import * as tasks from '../../tasks/index.ts';
import type { Config } from '../config.ts';
import { createLocalHost, createTaskRegistry, type LocalHost, type TaskRegistry } from '../engine/index.ts';
import type { Logger } from '../engine/ports.ts';
import * as ports from '../engine/ports.ts';
import type { LiveSecrets } from '../loader/secrets.ts';
import { createThreadRunner } from '../loader/threads.ts';
import { loadUserTasks } from '../loader/user-tasks.ts';
import type { SharedLoopNotes } from '../process/loop-notes.ts';
import { findTracer, isUndiciInstrumented, type SdkTracer } from '../tracing/index.ts';
import { VERSION } from '../version.ts';

/** A hook that takes longer is left behind; it holds up its worker, not the pipeline's fate. */
const HOOK_TIMEOUT_SECONDS = 30;

export interface HostsDeps {
  config: Config;
  logger: Logger;
  secrets: LiveSecrets;
  notes: SharedLoopNotes;
  /** Calls what a user's task file starts as work of the item that it runs for. */
  asWork: (call: () => unknown) => unknown;
}

/** Makes hosts with the tasks, the ports and the limits of this process. */
export interface Hosts {
  readonly registry: TaskRegistry;
  readonly tracer: SdkTracer | undefined;
  /** `fail`: see {@link ports.Ports.fail}. Each has threads of its own, which end with it. */
  create(fail: (error: unknown) => void, clock?: ports.Clock): LocalHost;
}

/** Loads the tasks. Throws a ConfigError for a task file that cannot be used. */
export async function prepareHosts({ config, logger, secrets, notes, asWork }: HostsDeps): Promise<Hosts> {
  let tracer: SdkTracer | undefined;
  const builtIn = tasks.builtInTasks({
    outputDir: config.outputDir,
    httpAllowHosts: config.httpAllowHosts,
    maskSecrets: secrets.mask,
    isInstrumented: () => tracer !== undefined && isUndiciInstrumented(),
  });
  const taken = builtIn.map((task) => task.name);
  const own = config.tasksDir === undefined ? [] : await loadUserTasks(config.tasksDir, taken, { within: asWork, logger });
  // A task file may register an SDK, too.
  tracer = await findTracer({ version: VERSION, logger, mask: secrets.mask });
  const registry = createTaskRegistry([...builtIn, ...own]);
  return {
    registry,
    tracer,
    create: (fail, clock = ports.systemClock) =>
      createLocalHost({
        ...config,
        registry,
        ports: {
          ...ports.systemPorts,
          ...{ clock, logger, threads: createThreadRunner({ logger, maxThreads: config.threads }) },
          ...{ expressions: tasks.expressionLanguage, secrets, notes, tracer, fail },
        },
        hookTimeoutSeconds: HOOK_TIMEOUT_SECONDS,
        keepsHistory: true,
      }),
  };
}
