/** The variables of a node of a cluster. They mean nothing to a service whose store is not PostgreSQL. */
import { z } from 'zod';
import { path, seconds } from '../variable.ts';

/** In characters: 16 random bytes in base64url have 22. */
const KEY_LENGTH_MIN = 22;
const LEASE_SECONDS_MIN = 3;

export const clusterVariables = {
  DATA_DIR: path().default('./data').meta({
    type: 'path',
    description:
      'The folder for the local copy of a node’s data, with `postgres:`; created if necessary. It may be empty: the node then fetches everything. Each node needs a folder of its own.',
  }),
  NODE_NAME: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be 1 to 63 letters, digits, dots, dashes or underscores')
    .optional()
    .meta({
      type: 'name',
      description:
        'The name of the node, different for each: of two with one name the second takes no part. By default the name of the machine and the port, such as `sluice-0-3000`.',
    }),
  NODE_URL: z
    .string()
    .refine(isOrigin, 'must be http: or https:, a host and perhaps a port, such as http://sluice-0.sluice:3000')
    .optional()
    .meta({
      type: 'URL',
      description:
        'How the other nodes reach this one, as `http://host:port`, different for each. By default made of `HOST` and `PORT`, which does for one machine; required when `HOST` is `0.0.0.0` or `::`.',
    }),
  CLUSTER_KEY: z
    .string()
    .optional()
    .meta({
      type: 'secrets',
      description: `Required with \`postgres:\`, and the same for all nodes: at least ${KEY_LENGTH_MIN} random characters, such as \`openssl rand -base64 32\` prints. With it the nodes sign the requests that they pass to each other. To change it, set the new one, a comma and the old one on all nodes, then the new one alone.`,
    }),
  LEASE_SECONDS: seconds(
    LEASE_SECONDS_MIN,
    3600,
    10,
    'How long the owner of a cluster may be silent before another node takes over. The same for all nodes.',
  ),
  TAKEOVER_WAIT_SECONDS: seconds(
    0,
    600,
    5,
    'How long a request to a node waits while no node takes it, from when the owner was lost or has refused it, before it is answered with 503 `no-owner`.',
  ),
  PIPELINES_FROM: z.enum(['files', 'log'], 'must be files or log').optional().meta({
    type: '`files`, `log`',
    description:
      'What a node that becomes the owner does when its files in `PIPELINES` are not those that were loaded last: `files` loads them, `log` keeps the definitions that are in force. Without it they are kept too, with a warning; files are loaded when none ever were.',
  }),
};

/** The configuration of a node. Durations are in seconds. */
export interface ClusterConfig {
  dataDir: string;
  /** Undefined: made of the name of the machine and the port. */
  nodeName: string | undefined;
  /** Undefined: made of the address that is listened on. */
  nodeUrl: string | undefined;
  /** The first signs, all are accepted. */
  keys: readonly string[];
  leaseSeconds: number;
  takeoverWaitSeconds: number;
  pipelinesFrom: 'files' | 'log' | undefined;
}

export function clusterConfig(values: z.output<z.ZodObject<typeof clusterVariables>>): ClusterConfig {
  return {
    dataDir: values.DATA_DIR,
    nodeName: values.NODE_NAME,
    nodeUrl: values.NODE_URL === undefined ? undefined : new URL(values.NODE_URL).origin,
    keys: keysIn(values.CLUSTER_KEY),
    leaseSeconds: values.LEASE_SECONDS,
    takeoverWaitSeconds: values.TAKEOVER_WAIT_SECONDS,
    pipelinesFrom: values.PIPELINES_FROM,
  };
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The faults of a node's variables as a whole. They never show a key. */
export function clusterFaults({ STORE_URL, CLUSTER_KEY, NODE_URL, HOST = '' }: Environment): string[] {
  if (!isPostgres(STORE_URL)) return [];
  const keys = keysIn(CLUSTER_KEY);
  return [
    ...(keys.length === 0 ? ['CLUSTER_KEY must be set with a postgres: store: a secret that all nodes share'] : []),
    ...(keys.some(({ length }) => length < KEY_LENGTH_MIN) ? [`CLUSTER_KEY is shorter than ${KEY_LENGTH_MIN} characters`] : []),
    ...(NODE_URL === undefined && isWildcard(HOST)
      ? [`NODE_URL must be set: with HOST "${HOST}" it is not known how the other nodes reach this one`]
      : []),
  ];
}

/** Whether a store's address makes the service a node of a cluster. */
export function isPostgres(url = ''): boolean {
  return /^postgres(?:ql)?:/i.test(url);
}

function keysIn(text = ''): string[] {
  return text.split(',').flatMap((key) => (key.trim() === '' ? [] : [key.trim()]));
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && [pathname, search + hash + username + password].join('') === '/';
}

/** Every address of the machine, which is none that others could use. */
function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host);
}
