import { type BuiltInOptions, builtInTasks, expressionLanguage } from '../../tasks/index.ts';
import { type Config, loadConfig } from '../config.ts';
import { createLocalHost, createTaskRegistry, type LocalHost, type TaskDeclaration } from '../engine/index.ts';
import { type HandRunner, type Logger, type Ports, silentLogger, systemPorts } from '../engine/ports.ts';
import { createSecrets } from '../loader/secrets.ts';
import { createThreadRunner } from '../loader/threads.ts';
import { loadUserTasks } from '../loader/user-tasks.ts';

/** As the service has it. */
const HOOK_TIMEOUT_SECONDS = 30;

/** The configuration of a service with this environment, and the tasks of its `TASKS_DIR`. */
export interface Workshop {
  readonly config: Config;
  readonly own: readonly TaskDeclaration[];
}

export interface HostParts {
  secrets: Readonly<Record<string, string>>;
  /** Where the built-in tasks differ from those of the service. */
  builtIn?: Partial<BuiltInOptions>;
  /** Makes other tasks of all of them. */
  tasks?: (declarations: readonly TaskDeclaration[]) => readonly TaskDeclaration[];
  ports?: (ports: Ports) => Partial<Ports>;
  logger?: Logger;
}

/** Reads the environment and the tasks. Throws a `ConfigError` with what is wrong with them. */
export async function openWorkshop(
  environment: Readonly<Record<string, string | undefined>>,
  { tasksDir }: { tasksDir?: string | undefined } = {},
): Promise<Workshop> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, text]) => text !== ''));
  const config = loadConfig({ ...given, ...(tasksDir !== undefined && { TASKS_DIR: tasksDir }) });
  const taken = builtInTasks({ outputDir: config.outputDir, httpAllowHosts: [] }).map(({ name }) => name);
  return { config, own: config.tasksDir === undefined ? [] : await loadUserTasks(config.tasksDir, taken) };
}

/** A host in memory with the tasks and limits of the workshop. It ends with {@link LocalHost.shutdown}. */
export function hostOf({ config, own }: Workshop, { secrets: values, builtIn, tasks, ports, logger = silentLogger }: HostParts): LocalHost {
  const secrets = createSecrets(values);
  const { outputDir, httpAllowHosts } = config;
  const all = [...builtInTasks({ outputDir, httpAllowHosts, maskSecrets: secrets.mask, ...builtIn }), ...own];
  const made: Ports = {
    ...systemPorts,
    ...{ logger, secrets, expressions: expressionLanguage },
    threads: createThreadRunner({ logger, maxThreads: config.threads }),
    hands: noHands,
  };
  return createLocalHost({
    ...config,
    registry: createTaskRegistry([...(tasks?.(all) ?? all)]),
    ports: { ...made, ...ports?.(made) },
    hookTimeoutSeconds: HOOK_TIMEOUT_SECONDS,
  });
}

/** Definitions may name hands; none is ever there. */
const noHands: HandRunner = {
  isThereFor: () => false,
  run: () => Promise.reject(new Error('there are no hands here')),
  close: async () => undefined,
};
