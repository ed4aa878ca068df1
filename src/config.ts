/**
 * The configuration: every environment variable that Sluice reads, checked at start with all faults listed at once.
 * The only place that reads the values of `process.env`; docs/configuration.md is generated from {@link variables}.
 */
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { allowedHostSchema, ownHostSchema } from './schemas/allowed-host.ts';
import { type ApiKey, parseApiKeys } from './schemas/api-key.ts';

/** What is wrong with how the service was set up: its variables, its tasks or its definitions. One readable message with every fault. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(subject: string, faults: readonly string[]) {
    super(`${subject}:\n${faults.map((fault) => `  - ${fault.replaceAll('\n', '\n    ')}`).join('\n')}`);
    this.faults = faults;
  }
}

function integer(min: number, max: number, fallback: number, description: string, type = 'integer') {
  const range = `${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number, ${range}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number, ${range}`)
    .default(fallback)
    .meta({ type: `${type}, ${range}`, description });
}

function seconds(min: number, max: number, fallback: number, description: string) {
  const range = `${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,12}([.]\d{1,9})?$/, `must be a number of seconds, ${range}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a number of seconds, ${range}`)
    .default(fallback)
    .meta({ type: `seconds, ${range}`, description });
}

const path = () => z.string().refine((value) => !value.includes('\0'), 'must be a path');
const flag = () => z.enum(['true', 'false', '1', '0'], 'must be true or false').transform((value) => value === 'true' || value === '1');

const MAX_VALUE_BYTES_DEFAULT = 16 * 1024 * 1024;
/** A value and metadata of this size still fit into one string, of which V8 makes none over 512 Mi characters. */
const MAX_VALUE_BYTES_MAX = 128 * 1024 * 1024;
const RETENTION_ON_DISK = 10_000_000;
const RETENTION_IN_MEMORY = 100_000;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Each variable by its name: how its text is read, its default, what it is for. `type` is for the documentation. */
export const variables = z.object({
  HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]+$/, 'must be a host name or an IP address, without brackets or port')
    .default('127.0.0.1')
    .meta({
      type: 'host or address',
      description:
        'Where to listen. Without `API_KEYS` anyone who reaches the service can use it, so an address beyond this machine then needs `ALLOW_UNAUTHENTICATED=true`.',
    }),
  PORT: integer(0, 65_535, 3000, '`0` takes a free port; the listening line of the log names it.'),
  ALLOW_UNAUTHENTICATED: flag().default(false).meta({
    type: 'switch',
    description: 'Listen beyond loopback although nothing checks who calls. For a network, such as a container’s, that others guard.',
  }),
  ALLOWED_HOSTS: z.string().optional().meta({
    type: 'hosts',
    description:
      'Without keys: names that the service goes by beside those of loopback, separated by commas, each a `name`, `name:port`, `*.domain` or address. A request whose `Host` is another one is refused.',
  }),
  API_KEYS: z.string().optional().meta({
    type: 'keys',
    description:
      'Who may call, as `name:scope+scope:sha256-hex-of-the-whole-key`, separated by commas or lines, each with more fields such as `;pipelines=a+b;expires=2027-01-31`. `npm run keygen -- NAME SCOPES` makes one.',
  }),
  API_KEYS_FILE: path().optional().meta({ type: 'path', description: 'A file of such keys, one a line, beside those of `API_KEYS`.' }),
  STORE_URL: z.string().default('file:./data/sluice.db').meta({
    type: 'URL',
    description:
      'Where everything is kept: `file:` and a path for a file of SQLite, whose folder is made when it is not there; `memory:` for nothing that outlives the process.',
  }),
  PIPELINES: path().default('./pipelines').meta({
    type: 'path',
    description: 'A YAML or JSON file of pipeline definitions, or a folder of them, created and started with the service.',
  }),
  TASKS_DIR: path()
    .optional()
    .meta({ type: 'path', description: 'A folder of modules (`.js`, `.mjs`, `.ts`), each a task of your own beside the built-in ones.' }),
  OUTPUT_DIR: path()
    .default('./data/output')
    .meta({ type: 'path', description: 'The only folder that the task `file_append` writes to; created when it is first needed.' }),
  HTTP_ALLOW_HOSTS: z.string().optional().meta({
    type: 'hosts',
    description:
      'Hosts that the tasks `http_request` and `http_notify` may reach although they are not public, separated by commas: a name, `name:port`, `*.domain`, an address or a range such as `10.1.0.0/16`. Loopback, private, link-local and metadata addresses are refused otherwise.',
  }),
  LOG_LEVEL: z
    .enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`)
    .default('info')
    .meta({ type: LOG_LEVELS.map((level) => `\`${level}\``).join(', '), description: 'The least severe records that are printed.' }),
  SHUTDOWN_TIMEOUT_SECONDS: seconds(
    0,
    86_400,
    30,
    'How long running items have to finish after SIGTERM or SIGINT before they are aborted. The process ends at most 10 seconds later.',
  ),
  LOOP_STALL_SECONDS: seconds(
    0,
    86_400,
    30,
    'How long one call of a task may hold the event loop. Then the process ends, having logged what held it, so that it is started again; the item counts as one that crashed it. `0` lets it stand for ever. A task that computes for long belongs in a thread (`thread: true`).',
  ),
  BODY_LIMIT_BYTES: integer(1024, 1_073_741_824, 1_048_576, 'The largest JSON body. An NDJSON body may be of any length.', 'bytes'),
  MAX_VALUE_BYTES: integer(
    1024,
    MAX_VALUE_BYTES_MAX,
    MAX_VALUE_BYTES_DEFAULT,
    'The largest item that is taken, and the largest result of a task, as JSON in UTF-8: a larger one is refused, or fails its item for good (`ValueTooLarge`). Unless it is given it follows a `BODY_LIMIT_BYTES` that is larger, up to 134217728.',
    'bytes',
  ),
  EVENTS_KEPT: integer(
    1,
    100_000_000,
    262_144,
    'How many events a pipeline keeps for replay; a reader that falls further behind gets an event `gap`.',
  ),
  RETENTION_MAX_ITEMS: integer(
    0,
    1_000_000_000,
    RETENTION_ON_DISK,
    `How many finished items a pipeline keeps, unless its definition has a \`retention\` of its own. With \`memory:\` the default is ${RETENTION_IN_MEMORY}.`,
  ),
  RETENTION_MAX_AGE_SECONDS: seconds(
    0.001,
    315_360_000,
    604_800,
    'How long a finished item is kept, unless its definition has a `retention` of its own.',
  ),
  BACKLOG_CAPACITY: integer(
    1,
    100_000_000,
    100_000,
    'How many fed items may wait for a pipeline, unless its definition has a `backlogCapacity` of its own.',
  ),
  MAX_DELIVERIES: integer(
    1,
    1000,
    5,
    'An item that was running in so many processes that ended without a shutdown has failed (`PoisonItem`), and is not tried again.',
  ),
  MAX_STAGES: integer(1, 10_000, 64, 'The most stages that a definition may have.'),
  MAX_WORKERS_PER_STAGE: integer(1, 1_000_000, 10_000, 'The most workers that a stage may have.'),
  MAX_WORKERS: integer(
    1,
    10_000_000,
    20_000,
    'The most workers that all pipelines may have together. A stage counts with what its definition says, or with what it was tuned to when that is more. An idle worker takes about half a kilobyte of memory, and writing it into a snapshot some five microseconds of the event loop.',
  ),
  MAX_PIPELINES: integer(1, 100_000, 1000, 'The most pipelines that there may be.'),
  SSE_HEARTBEAT_SECONDS: seconds(0.1, 3600, 15, 'How often a comment line keeps a quiet event stream alive through proxies.'),
});

/** What the service is run with. Durations in seconds; paths as they were given, relative to the working directory. */
export interface Config {
  host: string;
  port: number;
  allowUnauthenticated: boolean;
  /** Without keys, what `Host` may say beside the names of loopback. */
  allowedHosts: readonly string[];
  /** Empty: nobody is asked for a key. */
  apiKeys: readonly ApiKey[];
  storeUrl: string;
  pipelines: string;
  /** False for the default path, which need not exist. */
  pipelinesGiven: boolean;
  tasksDir: string | undefined;
  outputDir: string;
  httpAllowHosts: readonly string[];
  /** Of `SECRET_NAME`, by NAME: what templates of definitions may use. Never shown. */
  secrets: Readonly<Record<string, string>>;
  logLevel: (typeof LOG_LEVELS)[number];
  shutdownTimeoutSeconds: number;
  loopStallSeconds: number;
  bodyLimitBytes: number;
  maxValueBytes: number;
  eventsKept: number;
  retentionMaxItems: number;
  retentionMaxAgeSeconds: number;
  backlogCapacity: number;
  maxDeliveries: number;
  maxStages: number;
  maxWorkersPerStage: number;
  maxWorkers: number;
  maxPipelines: number;
  sseHeartbeatSeconds: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration from an environment, `process.env` for one. A variable that is set to nothing counts as not set; a variable
 * that is not ours is no fault. Throws {@link ConfigError} with every fault.
 */
export function loadConfig(environment: Environment): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, text]) => text !== undefined && text !== ''));
  const parsed = variables.safeParse(given);
  const access = readAccess(given);
  // Each rule looks at the text, so that its fault is listed beside those of other variables.
  const faults = [
    ...(parsed.error?.issues ?? []).map((issue) => `${String(issue.path[0])} ${issue.message}, not "${given[String(issue.path[0])]}"`),
    ...storeFaults(given.STORE_URL),
    ...hostFaults('HTTP_ALLOW_HOSTS', given.HTTP_ALLOW_HOSTS, allowedHostSchema),
    ...hostFaults('ALLOWED_HOSTS', given.ALLOWED_HOSTS, ownHostSchema),
    ...secretFaults(given),
    ...access.faults,
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
    pipelines: values.PIPELINES,
    pipelinesGiven: given.PIPELINES !== undefined,
    tasksDir: values.TASKS_DIR,
    outputDir: values.OUTPUT_DIR,
    httpAllowHosts: listOf(given.HTTP_ALLOW_HOSTS),
    secrets: secretsIn(given),
    logLevel: values.LOG_LEVEL,
    shutdownTimeoutSeconds: values.SHUTDOWN_TIMEOUT_SECONDS,
    loopStallSeconds: values.LOOP_STALL_SECONDS,
    bodyLimitBytes: values.BODY_LIMIT_BYTES,
    maxValueBytes: given.MAX_VALUE_BYTES === undefined ? largestItem(values.BODY_LIMIT_BYTES) : values.MAX_VALUE_BYTES,
    eventsKept: values.EVENTS_KEPT,
    retentionMaxItems:
      given.RETENTION_MAX_ITEMS === undefined && values.STORE_URL === 'memory:' ? RETENTION_IN_MEMORY : values.RETENTION_MAX_ITEMS,
    retentionMaxAgeSeconds: values.RETENTION_MAX_AGE_SECONDS,
    backlogCapacity: values.BACKLOG_CAPACITY,
    maxDeliveries: values.MAX_DELIVERIES,
    maxStages: values.MAX_STAGES,
    maxWorkersPerStage: values.MAX_WORKERS_PER_STAGE,
    maxWorkers: values.MAX_WORKERS,
    maxPipelines: values.MAX_PIPELINES,
    sseHeartbeatSeconds: values.SSE_HEARTBEAT_SECONDS,
  };
}

/** Who takes larger bodies means to take larger items. */
function largestItem(bodyLimitBytes: number): number {
  return Math.min(MAX_VALUE_BYTES_MAX, Math.max(MAX_VALUE_BYTES_DEFAULT, bodyLimitBytes));
}

const SECRET_PREFIX = 'SECRET_';
/** A shorter one would be found, and masked, in texts that have nothing to do with it. */
export const SECRET_LENGTH_MIN = 4;

/** By NAME, as they are: too short ones too, which are a fault. */
export function secretsIn(given: Record<string, string | undefined>): Record<string, string> {
  const secrets = Object.entries(given).filter(([name]) => name.startsWith(SECRET_PREFIX) && name.length > SECRET_PREFIX.length);
  return Object.fromEntries(secrets.map(([name, value]) => [name.slice(SECRET_PREFIX.length), value as string]));
}

function secretFaults(given: Record<string, string | undefined>): string[] {
  return Object.entries(secretsIn(given)).flatMap(([name, value]) => [
    ...(/^[A-Za-z_]\w*$/.test(name) ? [] : [`${SECRET_PREFIX}${name} has a name that templates cannot use; use letters, digits and _`]),
    ...(value.length < SECRET_LENGTH_MIN ? [`${SECRET_PREFIX}${name} is shorter than ${SECRET_LENGTH_MIN} characters`] : []),
  ]);
}

function hostFaults(variable: string, text: string | undefined, schema: z.ZodType): string[] {
  return listOf(text).flatMap((entry) => {
    const message = schema.safeParse(entry).error?.issues[0]?.message;
    return message === undefined ? [] : [`${variable} "${entry}" ${message}`];
  });
}

function listOf(text = ''): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== '');
}

/** Only the scheme is shown: the rest of a store's address can hold a password. */
function storeFaults(url = 'memory:'): string[] {
  if (url === 'memory:') return [];
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return ['STORE_URL must be a URL, such as file:./data/sluice.db'];
  if (scheme === 'memory') return ['STORE_URL must be memory: and nothing after it'];
  if (scheme === 'file') {
    const path = storeFileOf(url);
    return path === undefined || path === '' || /[\0?#]/.test(path)
      ? ['STORE_URL must be file: and a path, such as file:./data/sluice.db']
      : [];
  }
  const planned = ['redis', 'rediss', 'postgres', 'postgresql'].includes(scheme);
  return [`STORE_URL ${scheme}: ${planned ? 'is not available in this version' : 'is not a store'}; use file: or memory:`];
}

/** The path of a store that is a file: `file:./a.db`, `file:/a.db` and `file:///a.db` name one; undefined for other stores. */
export function storeFileOf(url: string): string | undefined {
  const path = /^file:(?<path>.*)$/is.exec(url)?.groups?.path;
  if (path === undefined || !path.startsWith('//')) return path;
  return path.startsWith('///') ? path.slice(2) : undefined;
}

/** The keys, and what is wrong with them or with an address that needs some. Their text is never shown. */
function readAccess(given: Record<string, string | undefined>): { keys: ApiKey[]; faults: string[] } {
  const keys: ApiKey[] = [];
  const faults: string[] = [];
  const texts = [
    ['API_KEYS', () => given.API_KEYS ?? ''],
    ['API_KEYS_FILE', () => (given.API_KEYS_FILE === undefined ? '' : readFileSync(given.API_KEYS_FILE, 'utf8'))],
  ] as const;
  for (const [name, read] of texts) {
    try {
      const parsed = parseApiKeys(read());
      keys.push(...parsed.keys);
      faults.push(...parsed.faults.map((fault) => `${name} ${fault}`));
      // Whoever sets it expects to be protected.
      if (given[name] !== undefined && parsed.keys.length + parsed.faults.length === 0) faults.push(`${name} contains no key`);
    } catch (error) {
      faults.push(`${name} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    }
  }
  const host = given.HOST ?? '127.0.0.1';
  const isGuarded = given.API_KEYS !== undefined || given.API_KEYS_FILE !== undefined;
  if (!isGuarded && !isLoopback(host) && !['true', '1'].includes(given.ALLOW_UNAUTHENTICATED ?? '')) {
    faults.push(
      `HOST "${host}" is reachable from other machines and callers are not authenticated; use 127.0.0.1, set API_KEYS, or set ALLOW_UNAUTHENTICATED=true`,
    );
  }
  return { keys, faults };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** A name that isn't `localhost` may resolve to any address, so it doesn't count as loopback. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? host.toLowerCase() === 'localhost' : loopback.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
