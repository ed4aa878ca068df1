import * as tasks from '../../tasks/index.ts';
import type { Config } from '../config.ts';
import { createLocalHost, createTaskRegistry, type LocalHost, type TaskRegistry } from '../engine/index.ts';
import type { Logger } from '../engine/ports.ts';
import * as ports from '../engine/ports.ts';
import type { LiveSecrets } from '../loader/secrets.ts';
import { hashTasks } from '../loader/task-hashes.ts';
import { createThreadRunner } from '../loader/threads.ts';
import { loadUserTasks } from '../loader/user-tasks.ts';
import type { SharedLoopNotes } from '../process/loop-notes.ts';
import { findTracer, isUndiciInstrumented, type SdkTracer } from '../tracing/index.ts';
import { VERSION } from '../version.ts';
import { createHands, type Hands, type OwnKey } from './hands.ts';

/** A hook that takes longer is left behind; it holds up its worker, not the pipeline's fate. */
const HOOK_TIMEOUT_SECONDS = 30;

export interface HostsDeps {
  config: Config;
  logger: Logger;
  secrets: LiveSecrets;
  notes: SharedLoopNotes;
  /** Calls what a user's task file starts as work of the item that it runs for. */
  asWork: (call: () => unknown) => unknown;
  environment: Readonly<Record<string, string | undefined>>;
  /** That of the hands which this process starts. */
  ownKey: OwnKey;
}

/** Makes hosts with the tasks, the ports and the limits of this process. */
export interface Hosts {
  readonly registry: TaskRegistry;
  readonly tracer: SdkTracer | undefined;
  /** All hosts of the process share them. */
  readonly hands: Hands;
  /** `fail`: see {@link ports.Ports.fail}. Each has threads of its own, which end with it. */
  create(fail: (error: unknown) => void, clock?: ports.Clock): LocalHost;
}

/** Loads the tasks. Throws a ConfigError for a task file that cannot be used. */
export async function prepareHosts({ config, logger, secrets, notes, asWork, environment, ownKey }: HostsDeps): Promise<Hosts> {
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
  const {
    systemClock,
    systemPorts: { random },
  } = ports;
  const hashed = await hashTasks(builtIn, own, { version: VERSION, folder: config.tasksDir });
  const hands = createHands({ config, environment, tasks: hashed, version: VERSION, clock: systemClock, random, logger }, ownKey);
  return {
    registry,
    tracer,
    hands,
    create: (fail, clock = systemClock) =>
      createLocalHost({
        ...config,
        registry,
        ports: {
          ...ports.systemPorts,
          ...{ clock, logger, threads: createThreadRunner({ logger, maxThreads: config.threads }), hands: hands.pool },
          ...{ expressions: tasks.expressionLanguage, secrets, notes, tracer, fail },
        },
        hookTimeoutSeconds: HOOK_TIMEOUT_SECONDS,
        keepsHistory: true,
      }),
  };
}
