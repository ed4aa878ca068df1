/**
 * The configuration: every environment variable that Sluice reads, checked at start with all faults listed at once.
 * The only place that reads the values of `process.env`; docs/configuration.md is generated from {@link variables}.
 */
import { z } from 'zod';
import { readAccess } from './config/access.ts';
import { type ClusterConfig, clusterConfig, clusterFaults, clusterVariables, isPostgres } from './config/cluster.ts';
import { type Environment, listOf } from './config/environment.ts';
import { type HandConfig, handConfig, handFaults, handVariables } from './config/hand.ts';
import { readSecretsDir, secretFaults, secretsIn } from './config/secrets.ts';
import { shownText } from './config/shown.ts';
import { storeFaults } from './config/store.ts';
import { LIMITS, type Limits, limitValues, limitVariables } from './limits.ts';
import { allowedHostSchema, ownHostSchema } from './schemas/allowed-host.ts';
import type { ApiKey } from './schemas/api-key.ts';
import { flag, integer, optionalInteger, path, seconds } from './variable.ts';

export { isLoopback, readAccess } from './config/access.ts';
export type { ClusterConfig } from './config/cluster.ts';
export { readSecretsDir, SECRET_LENGTH_MIN, secretsIn } from './config/secrets.ts';
export { storeFileOf } from './config/store.ts';

/** A fault in the setup of the service: its variables, tasks or definitions. The message is readable and lists every fault. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(subject: string, faults: readonly string[]) {
    super(`${subject}:\n${faults.map((fault) => `  - ${fault.replaceAll('\n', '\n    ')}`).join('\n')}`);
    this.faults = faults;
  }
}

const MAX_VALUE_BYTES_DEFAULT = 16 * 1024 * 1024;
/** A value and metadata of this size still fit into one string, of which V8 makes none over 512 Mi characters. */
const MAX_VALUE_BYTES_MAX = 128 * 1024 * 1024;
const RETENTION_ON_DISK = 10_000_000;
const RETENTION_IN_MEMORY = 100_000;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Each variable by its name: how its text is read, its default, what it is for. `type` is for the documentation. */
export const variables = z.object({
  HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]+$/, 'must be a host name or an IP address, without brackets or port')
    .default('127.0.0.1')
    .meta({
      type: 'host or address',
      description:
        'The address to listen on. Without `API_KEYS` anyone who can reach the service can use it, so an address beyond loopback then requires `ALLOW_UNAUTHENTICATED=true`.',
    }),
  PORT: integer(0, 65_535, 3000, 'The port to listen on. `0` takes a free port, which the log names.'),
  ALLOW_UNAUTHENTICATED: flag().default(false).meta({
    type: 'switch',
    description:
      'Allows listening beyond loopback without keys, in a network that is protected by other means, such as a container network.',
  }),
  ALLOWED_HOSTS: z.string().optional().meta({
    type: 'hosts',
    description:
      'Host names that the service accepts besides loopback ones if there are no keys, separated by commas, each a `name`, `name:port`, `*.domain` or address. Requests with any other `Host` are refused.',
  }),
  API_KEYS: z.string().optional().meta({
    type: 'keys',
    description:
      'The keys that admit callers, as `name:scope+scope:sha256-hex-of-the-whole-key`, separated by commas or line breaks, each optionally followed by fields such as `;pipelines=a+b;expires=2027-01-31;requests=100/60`. `npm run keygen -- NAME SCOPES` makes one.',
  }),
  API_KEYS_FILE: path().optional().meta({ type: 'path', description: 'A file with further keys, one per line.' }),
  SECRETS_DIR: path().optional().meta({
    type: 'path',
    description:
      'A folder with one file per secret, as Docker and Kubernetes mount them: the name of the file is the name of the secret, its content without a line break at the end is the value. SIGHUP reads them again.',
  }),
  STORE_URL: z.string().default('file:./data/sluice.db').meta({
    type: 'URL',
    description:
      'Where data is kept: `file:` and a path for an SQLite file, whose folder is created if necessary; `memory:` to keep nothing beyond the process; or `postgres:` and the rest of the address of a PostgreSQL database, which makes the service a node of the cluster that shares this database (docs/cluster.md). `?schema=NAME` names the schema of its tables.',
  }),
  ...clusterVariables,
  PIPELINES: path().default('./pipelines').meta({
    type: 'path',
    description:
      'A YAML or JSON file with pipeline definitions, or a folder of such files. The pipelines are created and started with the service.',
  }),
  TASKS_DIR: path()
    .optional()
    .meta({ type: 'path', description: 'A folder of modules (`.js`, `.mjs`, `.ts`), each of which adds a task to the built-in ones.' }),
  OUTPUT_DIR: path()
    .default('./data/output')
    .meta({ type: 'path', description: 'The only folder that the task `file_append` writes to; created on first use.' }),
  HTTP_ALLOW_HOSTS: z.string().optional().meta({
    type: 'hosts',
    description:
      'Non-public hosts that the tasks `http_request` and `http_notify` may reach, separated by commas: a name, `name:port`, `*.domain`, an address or a range such as `10.1.0.0/16`. Other loopback, private, link-local and metadata addresses are refused.',
  }),
  LOG_LEVEL: z
    .enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`)
    .default('info')
    .meta({ type: LOG_LEVELS.map((level) => `\`${level}\``).join(', '), description: 'The least severe level that is logged.' }),
  SHUTDOWN_TIMEOUT_SECONDS: seconds(
    0,
    86_400,
    30,
    'How long running items may take to finish their stage after SIGTERM or SIGINT before they are aborted. The process ends at most 10 seconds later.',
  ),
  LOOP_STALL_SECONDS: seconds(
    0,
    86_400,
    30,
    'How long a task may block the event loop. After that the process logs what blocked it and exits, so that a supervisor can restart it; the item counts as having crashed the process. `0` disables the check. Tasks with long computations belong in a thread (`thread: true`).',
  ),
  OVERLOAD_LOOP_DELAY_SECONDS: seconds(
    0,
    60,
    0.5,
    'How late the event loop may be, in the mean of about a second, before new items are refused (503 `overloaded`) and uploads pause; until it is at most half as late. `0` sets no bound.',
  ),
  OVERLOAD_MEMORY_PERCENT: integer(
    0,
    100,
    90,
    'How much of its memory the process may use before new items are refused (503 `overloaded`) and uploads pause: of the heap, or of what its container may use if that is nearer to its end. `0` sets no bound.',
    'percent',
  ),
  BODY_LIMIT_BYTES: integer(
    1024,
    1_073_741_824,
    1_048_576,
    'The maximum size of a JSON body, and of a line of NDJSON. An NDJSON body may have any length.',
    'bytes',
  ),
  UPLOAD_IDLE_SECONDS: seconds(
    1,
    86_400,
    300,
    'How long an NDJSON body may pause before its request ends as a 408. Items sent before the pause stay accepted. The time in which the service itself does not read, because there is no room, does not count.',
  ),
  MAX_VALUE_BYTES: integer(
    1024,
    MAX_VALUE_BYTES_MAX,
    MAX_VALUE_BYTES_DEFAULT,
    'The maximum size of an item and of a task’s result, as JSON in UTF-8. A larger item is refused; a larger result fails its item without a retry (`ValueTooLarge`). If it is not set, a larger `BODY_LIMIT_BYTES` raises it, up to 134217728.',
    'bytes',
  ),
  EVENTS_KEPT: integer(
    1,
    100_000_000,
    262_144,
    'Number of events that a pipeline keeps for replay. A reader that falls further behind gets an event `gap`. A start or a takeover reads all that are kept in a store, which takes about 0.7 s of processor time and 220 MiB of memory for each million: with the default, under 0.2 s.',
  ),
  RETENTION_MAX_ITEMS: integer(
    0,
    1_000_000_000,
    RETENTION_ON_DISK,
    `Number of finished items that a pipeline keeps, unless its definition sets \`retention\`. With \`memory:\` the default is ${RETENTION_IN_MEMORY}.`,
  ),
  RETENTION_MAX_AGE_SECONDS: seconds(
    0.001,
    315_360_000,
    604_800,
    'How long a finished item is kept, unless the definition sets `retention`.',
  ),
  BACKLOG_CAPACITY: integer(
    1,
    100_000_000,
    100_000,
    'Number of fed items that may wait in a pipeline, unless its definition sets `backlogCapacity`.',
  ),
  MAX_DELIVERIES: integer(
    1,
    1000,
    5,
    'An item that was running in this many processes that ended without a shutdown, and was all that ran in the last one, fails (`PoisonItem`) and is not retried.',
  ),
  THREADS: optionalInteger(
    1,
    1000,
    'Number of worker threads for tasks with `thread: true`, of all pipelines together. A stage with more workers than that has items that wait for a thread (`waitingFor: thread`). Without it there are as many as the process may use processors.',
  ),
  ...handVariables,
  MAX_STAGES: integer(1, 10_000, 64, 'Maximum number of stages in a definition.'),
  MAX_WORKERS_PER_STAGE: integer(1, 1_000_000, 10_000, 'Maximum number of workers of a stage.'),
  MAX_WORKERS: integer(
    1,
    10_000_000,
    20_000,
    'Maximum number of workers of all pipelines together. A stage counts with the number in its definition or the number it was tuned to, whichever is larger. An idle worker takes about half a kilobyte of memory, and about five microseconds of the event loop in each snapshot.',
  ),
  MAX_PIPELINES: integer(1, 100_000, 1000, 'Maximum number of pipelines.'),
  ...limitVariables,
  SSE_HEARTBEAT_SECONDS: seconds(
    0.1,
    3600,
    15,
    'Interval of the comment lines that keep a quiet event stream alive through proxies. The client and the page take a stream for dead that is silent for 40 s.',
  ),
});

/** The validated configuration. Durations are in seconds; paths are as given, relative to the working directory. */
export interface Config extends Limits, HandConfig {
  host: string;
  port: number;
  allowUnauthenticated: boolean;
  /** Host names accepted besides loopback ones if there are no keys. */
  allowedHosts: readonly string[];
  /** Empty: requests need no key. */
  apiKeys: readonly ApiKey[];
  storeUrl: string;
  /** The part that only a node of a cluster has; null for a service that is none. */
  cluster: ClusterConfig | null;
  pipelines: string;
  /** False for the default path, which need not exist. */
  pipelinesGiven: boolean;
  tasksDir: string | undefined;
  outputDir: string;
  httpAllowHosts: readonly string[];
  /** Values of the variables `SECRET_NAME` and of the files in `SECRETS_DIR`, by NAME, for templates in definitions. Never shown. */
  secrets: Readonly<Record<string, string>>;
  logLevel: (typeof LOG_LEVELS)[number];
  shutdownTimeoutSeconds: number;
  loopStallSeconds: number;
  /** 0 for no bound. */
  overloadLoopDelaySeconds: number;
  /** 0 for no bound. */
  overloadMemoryPercent: number;
  uploadIdleSeconds: number;
  retentionMaxItems: number;
  retentionMaxAgeSeconds: number;
  maxDeliveries: number;
  /** As many as there are processors, when absent. */
  threads: number | undefined;
  sseHeartbeatSeconds: number;
}

/** The members of the configuration that bound something, and may be shown to whoever may read. */
const FURTHER_LIMITS = [
  'uploadIdleSeconds',
  'shutdownTimeoutSeconds',
  'loopStallSeconds',
  'overloadLoopDelaySeconds',
  'overloadMemoryPercent',
  'retentionMaxItems',
  'retentionMaxAgeSeconds',
  'maxDeliveries',
  'threads',
  'sseHeartbeatSeconds',
] as const satisfies readonly (keyof Config)[];

/** The limits of a configuration, or of the part of one that there is, that are one number. */
export function limitsInForce(config: Partial<Config>): Record<string, number> {
  const names: readonly (keyof Config)[] = [...Object.values(LIMITS).map(({ name }) => name), ...FURTHER_LIMITS];
  return Object.fromEntries(names.flatMap((name): [string, number][] => (typeof config[name] === 'number' ? [[name, config[name]]] : [])));
}

/**
 * Reads the configuration from an environment, `process.env` for one. A variable that is set to nothing counts as not set; a variable
 * that is not ours is no fault. Throws {@link ConfigError} with every fault.
 */
export function loadConfig(environment: Environment): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, text]) => text !== undefined && text !== ''));
  const parsed = variables.safeParse(given);
  const access = readAccess(given);
  const files = readSecretsDir(given);
  // Each rule reads the raw text, so that its fault is reported together with those of other variables.
  const faults = [
    ...(parsed.error?.issues ?? []).map(
      (issue) => `${String(issue.path[0])} ${issue.message}, not "${shownText(given[String(issue.path[0])] ?? 'undefined')}"`,
    ),
    ...storeFaults(given.STORE_URL),
    ...clusterFaults(given),
    ...hostFaults('HTTP_ALLOW_HOSTS', given.HTTP_ALLOW_HOSTS, allowedHostSchema),
    ...hostFaults('ALLOWED_HOSTS', given.ALLOWED_HOSTS, ownHostSchema),
    ...secretFaults(given),
    ...files.faults,
    ...(given.ROLE === 'hand' ? [] : access.faults),
    ...handFaults(given),
  ];
  if (!parsed.success || faults.length > 0) throw new ConfigError('The configuration is invalid', faults);

  const values = parsed.data;
  return {
    host: values.HOST,
    port: values.PORT,
    allowUnauthenticated: values.ALLOW_UNAUTHENTICATED,
    allowedHosts: listOf(given.ALLOWED_HOSTS),
    apiKeys: access.keys,
    storeUrl: values.STORE_URL,
    cluster: isPostgres(values.STORE_URL) ? clusterConfig(values) : null,
    pipelines: values.PIPELINES,
    pipelinesGiven: given.PIPELINES !== undefined,
    tasksDir: values.TASKS_DIR,
    outputDir: values.OUTPUT_DIR,
    httpAllowHosts: listOf(given.HTTP_ALLOW_HOSTS),
    secrets: { ...secretsIn(given), ...files.secrets },
    logLevel: values.LOG_LEVEL,
    shutdownTimeoutSeconds: values.SHUTDOWN_TIMEOUT_SECONDS,
    loopStallSeconds: values.LOOP_STALL_SECONDS,
    overloadLoopDelaySeconds: values.OVERLOAD_LOOP_DELAY_SECONDS,
    overloadMemoryPercent: values.OVERLOAD_MEMORY_PERCENT,
    bodyLimitBytes: values.BODY_LIMIT_BYTES,
    uploadIdleSeconds: values.UPLOAD_IDLE_SECONDS,
    maxValueBytes: given.MAX_VALUE_BYTES === undefined ? largestItem(values.BODY_LIMIT_BYTES) : values.MAX_VALUE_BYTES,
    eventsKept: values.EVENTS_KEPT,
    retentionMaxItems:
      given.RETENTION_MAX_ITEMS === undefined && values.STORE_URL === 'memory:' ? RETENTION_IN_MEMORY : values.RETENTION_MAX_ITEMS,
    retentionMaxAgeSeconds: values.RETENTION_MAX_AGE_SECONDS,
    backlogCapacity: values.BACKLOG_CAPACITY,
    maxDeliveries: values.MAX_DELIVERIES,
    threads: values.THREADS,
    ...handConfig(values),
    maxStages: values.MAX_STAGES,
    maxWorkersPerStage: values.MAX_WORKERS_PER_STAGE,
    maxWorkers: values.MAX_WORKERS,
    maxPipelines: values.MAX_PIPELINES,
    sseHeartbeatSeconds: values.SSE_HEARTBEAT_SECONDS,
    ...limitValues(values),
  };
}

/** The default of `MAX_VALUE_BYTES`: accepting larger bodies implies accepting larger items. */
function largestItem(bodyLimitBytes: number): number {
  return Math.min(MAX_VALUE_BYTES_MAX, Math.max(MAX_VALUE_BYTES_DEFAULT, bodyLimitBytes));
}

function hostFaults(variable: string, text: string | undefined, schema: z.ZodType): string[] {
  return listOf(text).flatMap((entry) => {
    const message = schema.safeParse(entry).error?.issues[0]?.message;
    return message === undefined ? [] : [`${variable} "${shownText(entry)}" ${message}`];
  });
}

/** `STORE_URL` as it is given, or its default, unchecked: for commands that need nothing else of the configuration. */
export function storeUrlOf(environment: Environment): string {
  const { STORE_URL } = environment;
  return variables.shape.STORE_URL.parse(STORE_URL === '' ? undefined : STORE_URL);
}
