import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../src/config.ts';
import { startServer } from './e2e/server.ts';

interface Instruction {
  name: string;
  args: string;
}

/** The instructions of each stage; those before the first FROM are stage 0. */
function stagesOf(text: string): Instruction[][] {
  const stages: Instruction[][] = [[]];
  for (const line of text.replaceAll(/\\\n\s*/g, ' ').split('\n')) {
    const match = /^([A-Z]+) (.*)$/.exec(line);
    if (match === null) continue;
    const [, name = '', args = ''] = match;
    if (name === 'FROM') stages.push([]);
    stages.at(-1)?.push({ name, args });
  }
  return stages;
}

const stages = stagesOf(readFileSync('Dockerfile', 'utf8'));
const last = stages.at(-1) ?? [];
const argsOf = (name: string, of: Instruction[] = last): string[] => of.filter((each) => each.name === name).map(({ args }) => args);

/** Everything that the compose specification names for a service and a project, as far as this file may use it. */
const SERVICE_KEYS = [
  'build',
  'cap_drop',
  'command',
  'depends_on',
  'deploy',
  'environment',
  'healthcheck',
  'image',
  'init',
  'ports',
  'profiles',
  'read_only',
  'restart',
  'secrets',
  'security_opt',
  'stop_grace_period',
  'tmpfs',
  'volumes',
];
interface ComposeService {
  profiles?: string[];
  ports: string[];
  volumes: string[];
  depends_on?: string[];
  secrets?: string[];
  image: string;
  [key: string]: unknown;
}
const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { strict: true, uniqueKeys: true, merge: true });
const services = compose.services as Record<string, ComposeService>;
const service = compose.services.sluice;
const monitors = ['prometheus', 'grafana'].map((name) => services[name] as ComposeService);
const yamlOf = (path: string): unknown => parse(readFileSync(path, 'utf8'), { strict: true, uniqueKeys: true });
/** The host's side of a mount, by its side in the container. */
const mountsOf = ({ volumes }: ComposeService): Map<string, string> =>
  new Map(volumes.map((volume) => volume.split(':')).map(([source = '', target = '']) => [target, source]));

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
if (!hasPromtool) process.stderr.write('SKIPPED: promtool (Debian: prometheus) checks the configuration of Prometheus\n');

describe('the image', () => {
  it('is made from an image that can be replaced, in stages', () => {
    expect(argsOf('ARG', stages[0])).toEqual(['NODE_IMAGE=node:24-bookworm-slim']);
    for (const stage of stages.slice(1)) expect(argsOf('FROM', stage)[0]).toMatch(/^\$\{NODE_IMAGE\}( AS \w+)?$/);
    expect(stages.length).toBeGreaterThan(2);
  });

  it('holds the packages of production alone', () => {
    const [from] = argsOf('COPY').filter((args) => args.includes('node_modules'));
    const source = stages.find((stage) => argsOf('FROM', stage)[0]?.endsWith(`AS ${/--from=(\w+)/.exec(from ?? '')?.[1]}`));
    expect(argsOf('RUN', source)).toEqual(['npm ci --omit=dev --omit=optional']);
  });

  it('runs as a numbered user that is not root, and takes signals itself', () => {
    expect(argsOf('USER')).toEqual(['1000:1000']);
    expect(argsOf('CMD').map((args) => JSON.parse(args))).toEqual([
      ['node', '--max-semi-space-size=8', '--heap-growing-percent=30', 'dist/src/server.js'],
    ]);
    expect(argsOf('ENTRYPOINT')).toEqual([]);
    expect(argsOf('VOLUME')).toEqual(['/data']);
  });

  it('says what it is: the title, the license and the version of the package, and the revision that whoever builds gives', () => {
    const [text = ''] = argsOf('LABEL');
    const labels = Object.fromEntries(
      [...text.matchAll(/org[.]opencontainers[.]image[.](\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    const { description, license, version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(labels).toEqual({ title: 'Sluice', description, licenses: license, version: '$VERSION', revision: '$REVISION' });
    expect(argsOf('ARG')).toEqual([`VERSION=${version}`, 'REVISION=unknown']);
    // Each label is in the text, none is misspelt.
    expect(Object.keys(labels)).toHaveLength(text.split('=').length - 1);
  });

  it('copies what exists and what the context lets through', () => {
    const allowed = readFileSync('.dockerignore', 'utf8').split('\n');
    expect(allowed[0]).toBe('*');
    const copied = stages.flatMap((stage) => argsOf('COPY', stage)).filter((args) => !args.startsWith('--from'));
    for (const path of copied.flatMap((args) => args.split(' ').slice(0, -1))) {
      expect(existsSync(path), path).toBe(true);
      expect(allowed, path).toContain(`!${path}`);
    }
  });

  it('has an environment that the service takes, once there are keys', () => {
    const environment = Object.fromEntries(
      argsOf('ENV')
        .flatMap((args) => args.split(/\s+/))
        .map((pair) => pair.split('=') as [string, string]),
    );
    expect(() => loadConfig(environment)).toThrow('API_KEYS');
    expect(loadConfig({ ...environment, API_KEYS: `a:read:${'0'.repeat(64)}` })).toMatchObject({ port: 3000, outputDir: '/data/output' });
  });

  it('asks for its health without curl', { timeout: 30_000 }, async () => {
    expect(argsOf('HEALTHCHECK')[0]).toMatch(/CMD \["node", "dist\/src\/healthcheck[.]js"\]$/);
    const server = await startServer({});
    const ask = (port: string): string =>
      execFileSync(process.execPath, ['src/healthcheck.ts'], { env: { PORT: port }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    const { port } = new URL(server.url);
    expect(ask(port)).toBe('200 {"status":"ok"}\n');
    await server.stop();
    // Not at the port that it had: somebody else may listen there by now. Nobody does at one of the system's that has no service.
    expect(() => ask('2')).toThrow('fetch failed');
  });
});

describe('the compose file', () => {
  it('has no key that is misspelt', () => {
    expect(Object.keys(compose).sort()).toEqual(['name', 'secrets', 'services', 'volumes']);
    expect(Object.values(services).flatMap((each) => Object.keys(each).filter((key) => !SERVICE_KEYS.includes(key)))).toEqual([]);
  });

  it('starts the service alone, and what else there is with a profile of it', () => {
    expect(Object.entries(services).map(([name, { profiles }]) => [name, profiles])).toEqual([
      ['sluice', undefined],
      ...['sluice-1', 'sluice-2', 'sluice-3', 'hand', 'postgres'].map((name) => [name, ['cluster']]),
      ['prometheus', ['monitoring']],
      ['grafana', ['monitoring']],
    ]);
    for (const { depends_on = [] } of monitors) for (const name of depends_on) expect(services).toHaveProperty(name);
    // Variables without a default are those of the service alone: nobody has to set those of a profile that is not used.
    const text = readFileSync('docker-compose.yml', 'utf8');
    const required = [...text.matchAll(/\$\{(\w+)(:-)?/g)].filter(([, , isOptional]) => isOptional === undefined).map(([, name]) => name);
    expect([...new Set(required)]).toEqual(['API_KEYS']);
  });

  it('gives the service a root that cannot be written, an init, no capability, and no port beyond this machine', () => {
    expect(service).toMatchObject({ init: true, read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(service.tmpfs).toEqual(['/tmp']);
    for (const port of service.ports) expect(port).toMatch(/^127[.]0[.]0[.]1:/);
  });

  it('gives what watches it no capability and no port beyond this machine, and no two services one port', () => {
    for (const each of monitors) expect(each).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    const ports = Object.values(services).flatMap((each) => each.ports ?? []);
    expect(ports.filter((port) => !/^127[.]0[.]0[.]1:\$\{\w+:-\d+\}:\d+$/.test(port))).toEqual([]);
    expect(new Set(ports.map((port) => /:-(\d+)/.exec(port)?.[1])).size).toBe(ports.length);
    // A tag that never moves.
    for (const { image } of monitors) expect(image).toMatch(/:-[\w/]+:v?\d+[.]\d+[.]\d+\}$/);
  });

  it('has Prometheus ask the service with a key that compose gives it', () => {
    const [prometheus] = monitors as [ComposeService];
    const config = yamlOf('monitoring/prometheus/prometheus.yml') as {
      rule_files: string[];
      scrape_configs: { authorization: { credentials_file: string }; static_configs: { targets: string[] }[] }[];
    };
    expect(mountsOf(prometheus).get('/etc/prometheus')).toBe('./monitoring/prometheus');
    expect(prometheus.command).toContain('--config.file=/etc/prometheus/prometheus.yml');
    const [scrape] = config.scrape_configs;
    expect(scrape?.static_configs).toEqual([{ targets: [`sluice:${service.ports[0].split(':').at(-1)}`] }]);
    const [secret = ''] = prometheus.secrets ?? [];
    expect(scrape?.authorization.credentials_file).toBe(`/run/secrets/${secret}`);
    expect(compose.secrets[secret]).toEqual({ environment: 'METRICS_KEY' });
    // Compose cannot copy it into a root that is read-only.
    expect(prometheus.read_only).toBeUndefined();
    for (const pattern of config.rule_files) expect(pattern.startsWith('/')).toBe(false);
  });

  it.skipIf(!hasPromtool)('has a configuration of Prometheus that promtool takes', () => {
    const { status, stderr } = spawnSync('promtool', ['check', 'config', '--syntax-only', 'monitoring/prometheus/prometheus.yml'], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('has Grafana find its source of data and its boards', () => {
    const [, grafana] = monitors as [ComposeService, ComposeService];
    const mounts = mountsOf(grafana);
    const provisioning = String(mounts.get('/etc/grafana/provisioning'));
    const { datasources } = yamlOf(`${provisioning}/datasources/prometheus.yml`) as { datasources: { url: string }[] };
    expect(datasources.map(({ url }) => url)).toEqual([`http://prometheus:${services.prometheus?.ports[0]?.split(':').at(-1)}`]);
    const { providers } = yamlOf(`${provisioning}/dashboards/sluice.yml`) as { providers: { options: { path: string } }[] };
    for (const { options } of providers) expect(existsSync(String(mounts.get(options.path))), options.path).toBe(true);
  });

  it('mounts what is there, and declares every volume that it names', () => {
    const sources = Object.values(services).flatMap((each) => [...mountsOf(each).values()]);
    const named = sources.filter((source) => !source.startsWith('.'));
    expect(Object.keys(compose.volumes).sort()).toEqual([...new Set(named)].sort());
    expect(sources.filter((source) => source.startsWith('.') && !existsSync(source))).toEqual([]);
  });

  it('mounts its data, and definitions and tasks that are there, read-only', () => {
    const mounts = (service.volumes as string[]).map((volume) => volume.split(':'));
    expect(mounts).toContainEqual(['data', '/data']);
    const folders = mounts.filter(([source = '']) => source.startsWith('.'));
    expect(folders.map(([, target]) => target).sort()).toEqual([service.environment.PIPELINES, service.environment.TASKS_DIR].sort());
    for (const [source = '', , mode] of folders) {
      expect(mode).toBe('ro');
      expect(globSync(`${source}/*`).length, source).toBeGreaterThan(0);
    }
  });

  it('has an environment that the service takes', () => {
    const given = { ...service.environment, API_KEYS: `a:read:${'0'.repeat(64)}`, LOG_LEVEL: 'info' };
    expect(loadConfig(given)).toMatchObject({ pipelines: '/config/pipelines', tasksDir: '/config/tasks' });
    expect(service.environment.API_KEYS).toMatch(/^\$\{API_KEYS:\?/);
  });

  it('has three nodes that differ in their names, addresses, ports and volumes alone', () => {
    const nodes = [1, 2, 3].map((n) =>
      JSON.stringify(services[`sluice-${n}`]).replaceAll(new RegExp(`(?<=(sluice|node)-)${n}|(?<=SLUICE_|301)${n}`, 'g'), 'N'),
    );
    expect(new Set(nodes).size).toBe(1);
    const node = services['sluice-1'] as ComposeService & typeof service;
    const { environment } = node;
    expect(node).toMatchObject({ init: true, read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    const given = {
      ...environment,
      STORE_URL: 'postgres://postgres/sluice',
      CLUSTER_KEY: 'k'.repeat(44),
      API_KEYS: `me:admin:${'0'.repeat(64)}`,
      LOG_LEVEL: 'info',
    };
    expect(loadConfig({ HOST: '0.0.0.0', ...given }).cluster).toMatchObject({ nodeName: 'sluice-1', nodeUrl: environment.NODE_URL });
  });

  it('has two hands that keep nothing, know all nodes, and have the tasks of the nodes', () => {
    const hand = services.hand as ComposeService & { environment: Record<string, string> };
    expect(hand).toMatchObject({ read_only: true, cap_drop: ['ALL'], deploy: { replicas: 2 }, healthcheck: { disable: true } });
    // Several containers of one service cannot have one port of this machine.
    expect(hand.ports).toBeUndefined();
    expect([...mountsOf(hand).values()].filter((source) => !source.startsWith('.'))).toEqual([]);
    const nodes = [1, 2, 3].map((n) => services[`sluice-${n}`] as typeof hand);
    for (const { environment, image } of nodes) {
      expect(mountsOf(hand).get(hand.environment.TASKS_DIR as string)).toBe(
        mountsOf(nodes[0] as ComposeService).get(environment.TASKS_DIR as string),
      );
      expect(image).toBe(hand.image);
    }
    const image = { HOST: '0.0.0.0', OUTPUT_DIR: '/data/output', STORE_URL: 'file:/data/sluice.db' };
    const config = loadConfig({ ...image, ...hand.environment, LOG_LEVEL: 'info', OWNER_KEY: `slc_hands_${'k'.repeat(43)}` });
    expect(config).toMatchObject({
      role: 'hand',
      ownerUrls: nodes.map(({ environment }) => environment.NODE_URL),
      ownerKey: expect.any(String),
    });
    expect(Number(/^(\d+)s$/.exec(String(hand.stop_grace_period))?.[1])).toBeGreaterThan(config.shutdownTimeoutSeconds);
  });

  it('waits longer at a stop than the service may take', () => {
    const grace = Number(/^(\d+)s$/.exec(service.stop_grace_period)?.[1]);
    expect(grace).toBeGreaterThan(
      loadConfig({ SHUTDOWN_TIMEOUT_SECONDS: service.environment.SHUTDOWN_TIMEOUT_SECONDS }).shutdownTimeoutSeconds + 7,
    );
  });
});
