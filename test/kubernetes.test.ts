/** The manifest of deploy/kubernetes: against the types of the API, and against the service that it runs. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../src/config.ts';
import { FAMILIES } from '../src/http/metrics/families.ts';
import { readDefinitions } from '../src/loader/definitions.ts';
import { folderWith } from './loader/folder.ts';

const FILE = 'deploy/kubernetes/sluice.yaml';
/** The process ends at most this long after the time that running items have, says docs/configuration.md. */
const ENDING_SECONDS = 10;

interface Resource {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is checked against the types of the API.
  [key: string]: any;
}

const documents = parseAllDocuments(readFileSync(FILE, 'utf8'), { strict: true, uniqueKeys: true });
const resources = documents.map((document) => document.toJS() as Resource);
const only = (kind: string): Resource => {
  const found = resources.filter((resource) => resource.kind === kind);
  expect(found).toHaveLength(1);
  return found[0] as Resource;
};
const deployment = only('Deployment');
const pod = deployment.spec.template.spec;
const [container] = pod.containers;
const environment = Object.fromEntries(container.env.map(({ name, value }: { name: string; value: string }) => [name, value]));

/** What TypeScript says of resources as the types of the API have them, a line a fault: fields that there are not, and fields that are missing. */
function faultsOf(all: readonly Resource[]): string[] {
  const folder = folderWith();
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  const files = all.map((resource, i) => {
    const [group, version] = resource.apiVersion.includes('/') ? resource.apiVersion.split('/') : ['core', resource.apiVersion];
    const type = `import('kubernetes-types/${group}/${version}').${resource.kind}`;
    const file = `${i}-${resource.kind}.ts`;
    writeFileSync(join(folder, file), `export const it: ${type} = ${JSON.stringify(resource, null, 1)};`);
    return file;
  });
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'preserve', '--moduleResolution', 'bundler', '--types', ''];
  const { stdout, error } = spawnSync(resolve('node_modules/.bin/tsc'), [...flags, ...files], { cwd: folder, encoding: 'utf8' });
  if (error !== undefined) throw error;
  return stdout.split('\n').filter((line) => line.includes('error'));
}

const changed = (change: (copy: Resource) => void): Resource => {
  const copy = structuredClone(deployment);
  change(copy);
  return copy;
};

describe('the Kubernetes manifest', () => {
  it('is YAML without a key twice, and is what the types of the API say', { timeout: 60_000 }, () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    // Types that would take anything show nothing.
    const broken = [
      changed(({ spec }) => {
        spec.template.spec.terminationGracePeriod = 60;
      }),
      changed(({ spec }) => {
        delete spec.selector;
      }),
      changed(({ spec }) => {
        spec.template.spec.containers[0].livenessProbe.httpGet.port = {};
      }),
      changed((copy) => {
        copy.apiVersion = 'apps/v2';
      }),
    ];
    const faults = faultsOf([...broken, ...resources]);
    expect(broken.map((_, i) => faults.filter((fault) => fault.startsWith(`${i}-Deployment.ts`)).length > 0)).toEqual(
      broken.map(() => true),
    );
    expect(faults.filter((fault) => Number.parseInt(fault, 10) >= broken.length)).toEqual([]);
    expect(faults.filter((fault) => !/^\d+-/.test(fault))).toEqual([]);
  });

  it('runs one Sluice at a time, which owns its volume', () => {
    expect(deployment.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(only('PersistentVolumeClaim').spec.accessModes).toEqual(['ReadWriteOncePod']);
  });

  it('has everything that it refers to, but for the keys', () => {
    const names = (kind: string): string[] => resources.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);
    const volumes = new Map<string, Resource>(pod.volumes.map((volume: Resource & { name: string }) => [volume.name, volume]));
    for (const { name } of container.volumeMounts) expect(volumes.has(name), name).toBe(true);
    expect(volumes.size).toBe(container.volumeMounts.length);
    expect(names('ServiceAccount')).toContain(pod.serviceAccountName);
    expect(names('PersistentVolumeClaim')).toContain(volumes.get('data')?.persistentVolumeClaim.claimName);
    expect(names('ConfigMap')).toContain(volumes.get('pipelines')?.configMap.name);
    expect(names('Secret')).toEqual([]);
    expect(readFileSync(FILE, 'utf8')).toContain(`kubectl create secret generic ${volumes.get('keys')?.secret.secretName} --from-literal=`);
    const { labels } = deployment.spec.template.metadata;
    for (const selector of [
      deployment.spec.selector.matchLabels,
      only('Service').spec.selector,
      only('PodDisruptionBudget').spec.selector.matchLabels,
    ]) {
      expect(Object.keys(selector).length).toBeGreaterThan(0);
      expect(labels).toMatchObject(selector);
    }
    const ports = container.ports.map(({ name }: { name: string }) => name);
    expect(only('Service').spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort)).toEqual(ports);
  });

  it('gives a stop more time than the service may take', () => {
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(loadConfig(withKeys()).shutdownTimeoutSeconds + ENDING_SECONDS);
  });

  it('asks addresses that need no key, and leaves an event loop that stands to the watchdog', () => {
    const { paths } = JSON.parse(readFileSync('openapi/openapi.json', 'utf8'));
    const { startupProbe, livenessProbe, readinessProbe } = container;
    expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual(['/livez', '/livez', '/readyz']);
    for (const path of ['/livez', '/readyz']) expect(paths[path].get.security).toEqual([]);
    const { loopStallSeconds } = loadConfig(withKeys());
    expect((livenessProbe.failureThreshold - 1) * livenessProbe.periodSeconds).toBeGreaterThan(loopStallSeconds);
    // Bringing a large file to a new format takes minutes.
    expect(startupProbe.failureThreshold * startupProbe.periodSeconds).toBeGreaterThanOrEqual(600);
  });

  it('lets the pod be evicted, for an eviction is a graceful stop', () => {
    expect(only('PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
  });

  it('runs as the user of the image, without rights, on a root that cannot be written', () => {
    const [, uid] = /^USER (\d+):\d+$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? [];
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: Number(uid),
      fsGroup: Number(uid),
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(container.resources).toMatchObject({
      requests: { cpu: expect.any(String), memory: expect.any(String) },
      limits: { memory: expect.any(String) },
    });
  });

  it('runs this version, in an environment that the service takes', () => {
    expect(container.image).toMatch(new RegExp(`:${JSON.parse(readFileSync('package.json', 'utf8')).version}$`));
    expect(loadConfig(withKeys())).toMatchObject({ pipelines: environment.PIPELINES });
    const mounts: string[] = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    expect(mounts).toContain(environment.PIPELINES);
    expect(mounts.some((path) => environment.API_KEYS_FILE.startsWith(`${path}/`))).toBe(true);
    expect(mounts).toContain(/^VOLUME (\S+)$/m.exec(readFileSync('Dockerfile', 'utf8'))?.[1]);
    // A single file of a Secret is mounted as it was when the pod began.
    expect(container.volumeMounts.filter((mount: Resource) => mount.subPath !== undefined)).toEqual([]);
  });

  it('brings definitions that the service reads from a folder as Kubernetes mounts it', async () => {
    const { data } = only('ConfigMap');
    expect(parse(data['orders.yaml'])).toEqual(parse(readFileSync('pipelines/orders.yaml', 'utf8')));
    const folder = folderWith();
    mkdirSync(join(folder, '..2026_11_27'));
    symlinkSync('..2026_11_27', join(folder, '..data'));
    for (const [name, text] of Object.entries(data as Record<string, string>)) {
      writeFileSync(join(folder, '..data', name), text);
      symlinkSync(join('..data', name), join(folder, name));
    }
    expect(readdirSync(folder)).toContain('..data');
    expect((await readDefinitions(folder)).definitions.map(({ definition }) => definition.id)).toEqual(['orders']);
  });
});

describe('the manifest of a cluster', () => {
  const all = parseAllDocuments(readFileSync('deploy/kubernetes/cluster.yaml', 'utf8'), { strict: true, uniqueKeys: true });
  const nodes = all.map((document) => document.toJS() as Resource);
  const { spec } = nodes.find(({ kind }) => kind === 'StatefulSet') as Resource;
  const [node] = spec.template.spec.containers;

  it('is YAML without a key twice, and is what the types of the API say', { timeout: 60_000 }, () => {
    expect(all.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(faultsOf(nodes)).toEqual([]);
  });

  it('runs nodes that can be made of what it says, each with a volume and a name of its own', () => {
    const given = Object.fromEntries(node.env.map(({ name, value }: { name: string; value?: string }) => [name, value]));
    expect(given.NODE_URL).toBe(`http://$(NODE_NAME).${spec.serviceName}:${node.ports[0].containerPort}`);
    expect(nodes.some(({ kind, metadata }) => kind === 'Service' && metadata.name === spec.serviceName)).toBe(true);
    const secrets = { STORE_URL: 'postgres://db/sluice', CLUSTER_KEY: 'k'.repeat(44) };
    const env = { ...withKeys(), ...given, ...secrets, NODE_NAME: 'sluice-0', NODE_URL: 'http://sluice-0.sluice-nodes:3000' };
    const { cluster, shutdownTimeoutSeconds } = loadConfig({ ...env, API_KEYS_FILE: withKeys().API_KEYS_FILE });
    expect(cluster).toMatchObject({ nodeName: 'sluice-0', dataDir: '/data/node' });
    expect(spec.volumeClaimTemplates.map((claim: Resource) => claim.metadata.name)).toEqual(['data']);
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(shutdownTimeoutSeconds + ENDING_SECONDS);
  });

  const one = (kind: string): Resource => nodes.find((each) => each.kind === kind) as Resource;
  const { spec: pods } = one('Deployment').spec.template;
  const [hand] = pods.containers;

  it('runs hands that find the owner, of the image of the nodes and without rights', () => {
    const given = Object.fromEntries(hand.env.map(({ name, value }: { name: string; value?: string }) => [name, value]));
    const config = loadConfig({ ...image(), ...given, HAND_NAME: 'sluice-hand-1', OWNER_KEY: `slc_hands_${'k'.repeat(43)}` });
    expect(config).toMatchObject({ role: 'hand', handName: 'sluice-hand-1', ownerUrls: [given.OWNER_URL] });
    const { hostname } = new URL(given.OWNER_URL as string);
    const service = nodes.find(({ kind, metadata }) => kind === 'Service' && metadata.name === hostname) as Resource;
    expect(service.spec.selector).toEqual(one('StatefulSet').spec.selector.matchLabels);
    expect(hand.image).toBe(node.image);
    expect(hand.securityContext).toEqual(node.securityContext);
    expect(pods.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pods.terminationGracePeriodSeconds).toBeGreaterThan(config.shutdownTimeoutSeconds);
    expect(one('Deployment').spec.template.metadata.labels).toMatchObject(one('Deployment').spec.selector.matchLabels);
  });

  it('names each secret that has to be made before, under the key by which it is used', () => {
    const text = readFileSync('deploy/kubernetes/cluster.yaml', 'utf8');
    const references = [...node.env, ...hand.env].flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
    expect(references).toHaveLength(3);
    for (const { name, key } of references)
      expect(text).toMatch(new RegExp(`^#   kubectl create secret generic ${name} .*--from-literal=${key}=`, 'm'));
  });

  it('has as many hands as what is queued asks for, by a measurement that the service has', () => {
    const { scaleTargetRef, metrics, minReplicas, maxReplicas } = one('HorizontalPodAutoscaler').spec;
    const { kind, apiVersion, metadata, spec: deployment } = one('Deployment');
    expect(scaleTargetRef).toEqual({ kind, apiVersion, name: metadata.name });
    // The autoscaler alone says how many.
    expect(deployment).not.toHaveProperty('replicas');
    expect(maxReplicas).toBeGreaterThan(minReplicas);
    const [{ metric, target }] = metrics.map(({ external }: Resource) => external);
    const family = FAMILIES[metric.name as keyof typeof FAMILIES];
    expect(family.labels).toEqual(expect.arrayContaining(Object.keys(metric.selector.matchLabels)));
    expect(family.help).toContain(metric.selector.matchLabels.state);
    expect(Number(target.averageValue)).toBeGreaterThan(0);
  });
});

/** The environment of the image. */
function image(): Record<string, string> {
  const [, text = ''] = /^ENV (.*(?:\\\n.*)*)$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? [];
  return Object.fromEntries(text.split(/[\s\\]+/).map((pair) => pair.split('=')));
}

/** The environment of the image and the pod, with a file of keys that is there. */
function withKeys(): Record<string, string> {
  const keys = join(folderWith({ 'api-keys': `me:admin:${'0'.repeat(64)}\n` }), 'api-keys');
  expect(existsSync(keys)).toBe(true);
  return { ...image(), ...environment, API_KEYS_FILE: keys };
}
