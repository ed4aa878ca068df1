import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, storeFileOf, variables } from '../src/config.ts';

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

describe('an empty environment', () => {
  it('gives the defaults', () => {
    expect(loadConfig({})).toEqual({
      host: '127.0.0.1',
      httpAllowHosts: [],
      secrets: {},
      port: 3000,
      allowUnauthenticated: false,
      allowedHosts: [],
      apiKeys: [],
      storeUrl: 'file:./data/sluice.db',
      cluster: null,
      pipelines: './pipelines',
      pipelinesGiven: false,
      tasksDir: undefined,
      overloadLoopDelaySeconds: 0.5,
      overloadMemoryPercent: 90,
      outputDir: './data/output',
      logLevel: 'info',
      shutdownTimeoutSeconds: 30,
      loopStallSeconds: 30,
      bodyLimitBytes: 1_048_576,
      uploadIdleSeconds: 300,
      maxValueBytes: 16_777_216,
      eventsKept: 262_144,
      retentionMaxItems: 10_000_000,
      retentionMaxAgeSeconds: 604_800,
      backlogCapacity: 100_000,
      maxDeliveries: 5,
      role: 'service',
      ownerUrls: [],
      handCapacity: 100,
      hands: 0,
      maxStages: 64,
      maxWorkersPerStage: 10_000,
      maxWorkers: 20_000,
      maxPipelines: 1000,
      sseHeartbeatSeconds: 15,
      maxStreams: 10_000,
      maxStreamsPerKey: 1000,
      maxTicketsPerKey: 1000,
      maxConnections: 20_000,
      maxItemsPerRequest: 100_000,
      maxDefinitionBytes: 1_048_576,
      maxFeeds: 10_000,
      maxLimiterKeys: 100_000,
      maxIdempotencyKeys: 10_000,
      maxErrorCharacters: 4096,
    });
  });

  it('is what variables set to nothing count as', () => {
    expect(loadConfig({ PORT: '', TASKS_DIR: '', API_KEYS: '', PIPELINES: '' })).toEqual(loadConfig({}));
  });
});

describe('a variable', () => {
  it('is read as the number, switch or text that it is', () => {
    const environment = {
      PORT: '0',
      SHUTDOWN_TIMEOUT_SECONDS: '2.5',
      ALLOW_UNAUTHENTICATED: 'true',
      LOG_LEVEL: 'debug',
      TASKS_DIR: 'mine',
    };
    expect(loadConfig(environment)).toMatchObject({
      port: 0,
      shutdownTimeoutSeconds: 2.5,
      allowUnauthenticated: true,
      logLevel: 'debug',
      tasksDir: 'mine',
    });
  });

  it('is no fault when it is not ours', () => {
    expect(faultsOf({ HOME: '/root', PORTS: 'x', npm_config_port: 'x' })).toEqual([]);
  });

  it('marks PIPELINES as asked for when it is set, to its default too', () => {
    expect(loadConfig({ PIPELINES: './pipelines' }).pipelinesGiven).toBe(true);
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '3000.5'],
    ['PORT', '0x10'],
    ['PORT', ' 3000'],
    ['PORT', '1e3'],
    ['BODY_LIMIT_BYTES', '1MB'],
    ['UPLOAD_IDLE_SECONDS', '0'],
    ['UPLOAD_IDLE_SECONDS', '86401'],
    ['SHUTDOWN_TIMEOUT_SECONDS', '30s'],
    ['SHUTDOWN_TIMEOUT_SECONDS', '-1'],
    ['RETENTION_MAX_AGE_SECONDS', '0'],
    ['SSE_HEARTBEAT_SECONDS', 'Infinity'],
    ['EVENTS_KEPT', '0'],
    ['RETENTION_MAX_ITEMS', 'all'],
    ['BACKLOG_CAPACITY', '0'],
    ['MAX_STAGES', '0'],
    ['MAX_WORKERS_PER_STAGE', '10000000'],
    ['LOG_LEVEL', 'verbose'],
    ['ALLOW_UNAUTHENTICATED', 'yes'],
    ['HOST', 'http://localhost'],
    ['TASKS_DIR', 'a\0b'],
  ])('is a fault that names it and what was found: %s=%j', (name, text) => {
    const fault = faultsOf({ [name]: text }).find((line) => line.endsWith(`, not "${text}"`));
    expect(fault).toMatch(new RegExp(`^${name} must be `));
  });
});

describe('faults', () => {
  it('are all listed at once, in one message', () => {
    const environment = { PORT: 'x', LOG_LEVEL: 'loud', STORE_URL: 'redis://cache', API_KEYS: 'k', API_KEYS_FILE: 'f', HOST: '0.0.0.0' };
    const faults = faultsOf(environment);
    const named = ['PORT', 'LOG_LEVEL', 'STORE_URL', 'API_KEYS', 'API_KEYS', 'API_KEYS_FILE'];
    expect(faults.map((fault) => fault.split(' ')[0])).toEqual(named);
    expect(() => loadConfig(environment)).toThrow(`The configuration is invalid:\n  - ${faults.join('\n  - ')}`);
  });
});

const KEY = 'a-secret-of-all-the-nodes';
const NODE = { STORE_URL: 'postgresql://db/x', CLUSTER_KEY: KEY };

describe('a node of a cluster', () => {
  it('is what PostgreSQL makes of a service, and nothing else does', () => {
    expect(loadConfig({ CLUSTER_KEY: KEY }).cluster).toBeNull();
    expect(loadConfig(NODE).cluster).toEqual({
      ...{ dataDir: './data', nodeName: undefined, nodeUrl: undefined, keys: [KEY] },
      ...{ leaseSeconds: 10, takeoverWaitSeconds: 5, pipelinesFrom: undefined },
    });
    expect(loadConfig({ ...NODE, CLUSTER_KEY: `${KEY}-new, ${KEY}`, NODE_URL: 'https://one:444/' }).cluster).toMatchObject({
      keys: [`${KEY}-new`, KEY],
      nodeUrl: 'https://one:444',
    });
  });

  it('needs a key, which is never shown', () => {
    expect(faultsOf({ STORE_URL: 'postgres://db/x' })).toEqual([
      'CLUSTER_KEY must be set with a postgres: store: a secret that all nodes share',
    ]);
    expect(faultsOf({ ...NODE, CLUSTER_KEY: `${KEY},hunter2` })).toEqual(['CLUSTER_KEY is shorter than 22 characters']);
  });

  it.each(['0.0.0.0', '::', '0'])('has to say how it is reached when it listens on %s', (HOST) => {
    const given = { ...NODE, HOST, ALLOW_UNAUTHENTICATED: 'true' };
    expect(faultsOf(given).join()).toContain('NODE_URL must be set');
    expect(faultsOf({ ...given, NODE_URL: 'http://node-1:3000' })).toEqual([]);
  });

  it.each([
    ['NODE_URL', 'node-1:3000'],
    ['NODE_URL', 'http://node-1:3000/path'],
    ['NODE_URL', 'http://user:secret@node-1'],
    ['NODE_NAME', 'two words'],
    ['LEASE_SECONDS', '2.9'],
    ['PIPELINES_FROM', 'git'],
  ])('has a fault in %s=%j', (name, text) => {
    expect(faultsOf({ ...NODE, [name]: text })).toHaveLength(1);
  });
});

describe('STORE_URL', () => {
  it.each(['redis://cache:6379', 'mysql://db/x', 'postgre://db/x'])('is no store as %s', (url) => {
    expect(faultsOf({ STORE_URL: url })).toEqual([`STORE_URL ${url.split(':')[0]}: is not a store; use file:, postgres: or memory:`]);
  });

  it.each([
    ['file:./data/sluice.db', './data/sluice.db'],
    ['file:/var/lib/sluice.db', '/var/lib/sluice.db'],
    ['file:///var/lib/sluice.db', '/var/lib/sluice.db'],
    ['memory:', undefined],
  ])('names with %s the file %s', (url, file) => {
    expect(storeFileOf(loadConfig({ STORE_URL: url }).storeUrl)).toBe(file);
  });

  it('keeps fewer finished items when they are in memory', () => {
    expect(loadConfig({ STORE_URL: 'memory:' }).retentionMaxItems).toBe(100_000);
    expect(loadConfig({ STORE_URL: 'memory:', RETENTION_MAX_ITEMS: '7' }).retentionMaxItems).toBe(7);
  });

  it('is never shown with its password', () => {
    expect(faultsOf({ STORE_URL: 'postgres://user:hunter2@db/x' }).join()).not.toContain('hunter2');
    expect(faultsOf({ STORE_URL: 'postgres://user:hunter2@:db/x', CLUSTER_KEY: KEY })).toEqual([
      'STORE_URL must be the address of a database, such as postgres://user:password@host/database',
    ]);
  });

  it.each(['mongodb://x', 'memory', 'memory:x', 'file:', 'file://host/x', 'file:a?b', 'file:a.db ', 'file: a.db', ' memory:'])(
    'is refused as %s',
    (url) => {
      expect(faultsOf({ STORE_URL: url })).toHaveLength(1);
    },
  );
});

describe('access', () => {
  const digest = 'AB'.repeat(32);

  it('is given to keys, of a variable and of a file', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-keys-')), 'keys');
    writeFileSync(
      file,
      `# callers\n\nops:admin:${digest}\ndash:read+feed:${digest};pipelines=a+b;expires=2027-01-31;feedOptions=targetStage+priority;requests=100/60\nhand:operate+work:${digest}\n`,
    );
    const { apiKeys } = loadConfig({ HOST: '0.0.0.0', API_KEYS: `ci:feed:${digest}`, API_KEYS_FILE: file });
    expect(apiKeys).toEqual([
      { name: 'ci', scopes: new Set(['feed']), sha256Hex: digest.toLowerCase() },
      { name: 'ops', scopes: new Set(['admin']), sha256Hex: digest.toLowerCase() },
      {
        name: 'dash',
        scopes: new Set(['read', 'feed']),
        sha256Hex: digest.toLowerCase(),
        pipelines: new Set(['a', 'b']),
        expiresAt: Date.parse('2027-01-31'),
        feedOptions: new Set(['targetStage', 'priority']),
        requests: { requests: 100, perSeconds: 60 },
      },
      { name: 'hand', scopes: new Set(['operate', 'work']), sha256Hex: digest.toLowerCase() },
    ]);
  });

  it.each([
    ['ops:admin:abc', 'SHA-256'],
    ['ops:admin', 'must read'],
    [`ops:admin:${digest}:more`, 'must read'],
    [`o s:admin:${digest}`, 'name'],
    [`ops:root:${digest}`, 'scopes'],
    [`ops::${digest}`, 'scopes'],
    [`ops:admin:${digest};pipelines=`, 'pipelines'],
    [`ops:admin:${digest};expires=soon`, 'expiry'],
    [`ops:feed:${digest};feedOptions=priority+all`, 'feedOptions'],
    [`ops:feed:${digest};feedOptions=`, 'feedOptions'],
    [`ops:feed:${digest};requests=0/60`, 'requests'],
    [`ops:feed:${digest};requests=100`, 'requests'],
    [`ops:feed:${digest};requests=1000001/60`, 'requests'],
    [`ops:admin:${digest};colour=red`, 'field'],
    [' , ', 'contains no key'],
  ])('is refused to the key %j, whose text is not shown', (text, fault) => {
    const faults = faultsOf({ API_KEYS: text });
    expect(faults).toEqual([expect.stringContaining(fault)]);
    expect(faults.join()).not.toContain(digest);
  });

  it('is refused when the file of keys cannot be read', () => {
    expect(faultsOf({ API_KEYS_FILE: '/nowhere/keys' })).toEqual(['API_KEYS_FILE cannot be read: ENOENT']);
  });

  it.each(['127.0.0.1', '127.8.9.10', 'localhost', 'LOCALHOST', '::1', '::ffff:127.0.0.1'])('is open on loopback: %s', (host) => {
    expect(faultsOf({ HOST: host })).toEqual([]);
  });

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.org', '::ffff:10.0.0.1', '127.0.0.1.example.org', '2130706433'])(
    'is refused beyond it: %s',
    (host) => {
      expect(faultsOf({ HOST: host })).toEqual([expect.stringContaining('ALLOW_UNAUTHENTICATED=true')]);
    },
  );

  it('is open everywhere to who says so', () => {
    expect(faultsOf({ HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true' })).toEqual([]);
    expect(faultsOf({ HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'false' })).toHaveLength(1);
  });
});

describe('ALLOWED_HOSTS', () => {
  it('are names, with a port or for a domain, and addresses', () => {
    const text = 'sluice.example, dev_1:8080 *.corp.example\n10.1.2.3,fd00::1';
    expect(loadConfig({ ALLOWED_HOSTS: text }).allowedHosts).toEqual([
      'sluice.example',
      'dev_1:8080',
      '*.corp.example',
      '10.1.2.3',
      'fd00::1',
    ]);
  });

  it.each(['http://a', 'a/b', '10.0.0.0/8', '*', 'a:b', '-a', '[::1]', '*.a:80'])('are not %s', (entry) => {
    expect(faultsOf({ ALLOWED_HOSTS: `ok,${entry}` })).toEqual([`ALLOWED_HOSTS "${entry}" is not a host, host:port, *.domain or address`]);
  });
});

describe('what the tasks may use', () => {
  it('are the hosts that are named, in every form', () => {
    const text = 'api.internal, db_1:5432 *.corp.example\n10.0.0.0/8,::1,fd00::/8, 127.0.0.1';
    expect(loadConfig({ HTTP_ALLOW_HOSTS: text }).httpAllowHosts).toEqual([
      'api.internal',
      'db_1:5432',
      '*.corp.example',
      '10.0.0.0/8',
      '::1',
      'fd00::/8',
      '127.0.0.1',
    ]);
  });

  it.each(['http://a', 'a/b', '10.0.0.0/33', '*', 'a:b', '-a', '[::1]'])('is not %s', (entry) => {
    expect(faultsOf({ HTTP_ALLOW_HOSTS: `ok,${entry}` })).toEqual([
      `HTTP_ALLOW_HOSTS "${entry}" is not a host, host:port, *.domain, address or range`,
    ]);
  });

  it('are the secrets of the environment, by their names', () => {
    expect(loadConfig({ SECRET_API: 'abcd', SECRET_B_2: 'efgh', SECRET_: 'x', SECRETS: 'y' }).secrets).toEqual({
      API: 'abcd',
      B_2: 'efgh',
    });
  });

  it('is no secret that a template cannot name, or that is too short to be hidden; its text is not shown', () => {
    expect(faultsOf({ 'SECRET_A-B': 'abcd', SECRET_C: 'xyz' })).toEqual([
      'SECRET_A-B has a name that templates cannot use; use letters, digits and _',
      'SECRET_C is shorter than 4 characters',
    ]);
  });
});

it('describes every variable for its documentation', () => {
  for (const [name, schema] of Object.entries(variables.shape)) {
    expect({ name, ...schema.meta() }).toMatchObject({
      name: expect.stringMatching(/^[A-Z_]+$/),
      type: expect.any(String),
      description: expect.stringMatching(/[.]$/),
    });
  }
});

describe('a fault of the configuration', () => {
  const CLUSTER = { STORE_URL: 'postgres://h/d', CLUSTER_KEY: 'a key that all nodes share' };
  it.each([
    ['STORE_URL', 'mysql://root:geheim@db/x', {}],
    ['STORE_URL', 'root:geheim@db/x', {}],
    ['STORE_URL', 'postgres://root:geheim@db:port/x', { CLUSTER_KEY: CLUSTER.CLUSTER_KEY }],
    ['NODE_URL', 'http://root:geheim@node-1:3000', CLUSTER],
    ['NODE_URL', 'http://root:gehe@im@node-1:3000/?password=geheim', CLUSTER],
    ['OWNER_URL', 'http://root:geheim@node-1:3000', { ROLE: 'hand' }],
    ['OWNER_URL', 'http://node-1:3000/?token=geheim', { ROLE: 'hand' }],
    ['HOST', 'http://root:geheim@127.0.0.1', {}],
    ['PORT', 'http://root:geheim@127.0.0.1:80', {}],
    ['ALLOWED_HOSTS', 'http://root:geheim@sluice.example', {}],
    ['HTTP_ALLOW_HOSTS', 'http://root:geheim@10.0.0.1/', {}],
  ])('never shows the password in %s=%s', (name, text, others) => {
    const faults = faultsOf({ ...others, [name]: text }).join('\n');
    expect(faults).toContain(name);
    expect(faults).not.toMatch(/gehe|root:(?! is not a store)/);
  });

  it('shows what was given where it holds none', () => {
    expect(faultsOf({ PORT: 'http' }).join()).toContain('not "http"');
    expect(faultsOf({ ...CLUSTER, NODE_URL: 'http://node-1:3000/path' }).join()).toContain('not "http://node-1:3000/path"');
  });
});
