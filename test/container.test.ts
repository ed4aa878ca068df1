import { execFileSync } from 'node:child_process';
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
  'environment',
  'image',
  'init',
  'ports',
  'read_only',
  'restart',
  'security_opt',
  'stop_grace_period',
  'tmpfs',
  'volumes',
];
const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { strict: true, uniqueKeys: true });
const service = compose.services.sluice;

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
    expect(Object.keys(compose).sort()).toEqual(['name', 'services', 'volumes']);
    expect(Object.keys(service).filter((key) => !SERVICE_KEYS.includes(key))).toEqual([]);
  });

  it('gives the service a root that cannot be written, an init, no capability, and no port beyond this machine', () => {
    expect(service).toMatchObject({ init: true, read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(service.tmpfs).toEqual(['/tmp']);
    for (const port of service.ports) expect(port).toMatch(/^127[.]0[.]0[.]1:/);
  });

  it('mounts its data, and definitions and tasks that are there, read-only', () => {
    const mounts = (service.volumes as string[]).map((volume) => volume.split(':'));
    expect(mounts).toContainEqual(['data', '/data']);
    expect(Object.keys(compose.volumes)).toEqual(['data']);
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

  it('waits longer at a stop than the service may take', () => {
    const grace = Number(/^(\d+)s$/.exec(service.stop_grace_period)?.[1]);
    expect(grace).toBeGreaterThan(
      loadConfig({ SHUTDOWN_TIMEOUT_SECONDS: service.environment.SHUTDOWN_TIMEOUT_SECONDS }).shutdownTimeoutSeconds + 7,
    );
  });
});
