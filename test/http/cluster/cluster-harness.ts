import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import { onTestFinished } from 'vitest';
import { buildApp } from '../../../src/app.ts';
import { Clustered } from '../../../src/composition/clustered.ts';
import { createLocalHost, createTaskRegistry, type TaskDeclaration } from '../../../src/engine/index.ts';
import { systemPorts } from '../../../src/engine/ports.ts';
import { createKeyRing } from '../../../src/http/guards/key-ring.ts';
import type { Loaded } from '../../../src/loader/definitions.ts';
import type { ApiKey } from '../../../src/schemas/api-key.ts';
import { expressionLanguage } from '../../../tasks/index.ts';
import { createGate, type Gate } from '../../engine/harness.ts';
import { folderWith } from '../../loader/folder.ts';
import { HOST } from '../../stores/durable-host.ts';
import { testTasks } from '../app-harness.ts';
import { FakeCluster, FakeDeposed, type FakeNode } from './fake-node.ts';

export interface ClusterOptions {
  apiKeys?: readonly ApiKey[];
  takeoverWaitSeconds?: number;
  backlogCapacity?: number;
  allowedHosts?: readonly string[];
  tasks?: readonly TaskDeclaration[];
  /** What each node has in its files; nothing when absent. */
  files?: (name: string) => Loaded;
  pipelinesFrom?: 'files' | 'log';
  /** The keys of a node that has others than the rest. */
  keysOf?: (name: string) => readonly string[];
}

/** A node that listens. */
export interface Member {
  name: string;
  app: FastifyInstance;
  clustered: Clustered;
  node: FakeNode;
  port: number;
  url: string;
  logs: Record<string, unknown>[];
  /** It is gone from one moment to the next: nothing is sent any more, and nobody connects. */
  die(): void;
}

export interface TestCluster {
  cluster: FakeCluster;
  gate: Gate;
  members: Record<string, Member>;
  /** Sends a request to a node and reads the whole answer. */
  ask(name: string, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Asked>;
}

export interface Asked {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a body holds is for the test to assert
  body: any;
}

export const CLUSTER_KEY = 'a key that all nodes share';

/** Nodes named `a`, `b`, `c` … on sockets of this process, over one store. None of them owns. They end with the test. */
export async function startCluster(count: number, options: ClusterOptions = {}): Promise<TestCluster> {
  const cluster = new FakeCluster(join(folderWith(), 'cluster.db'));
  const gate = createGate();
  const released = Promise.withResolvers<void>();
  const members: Record<string, Member> = {};
  for (const name of 'abcdefgh'.slice(0, count))
    members[name] = await startMember(name, { cluster, gate, released: released.promise, options });
  onTestFinished(async () => {
    released.resolve();
    gate.open();
    for (const { app } of Object.values(members)) {
      app.server.closeAllConnections();
      await app.close();
    }
    await cluster.depose();
  });
  return {
    cluster,
    gate,
    members,
    async ask(name, method, path, body, headers = {}) {
      const isText = typeof body === 'string';
      const response = await fetch((members[name] as Member).url + path, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': isText ? 'application/x-ndjson' : 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '');
      return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text };
    },
  };
}

interface Shared {
  cluster: FakeCluster;
  gate: Gate;
  released: Promise<void>;
  options: ClusterOptions;
}

async function startMember(name: string, { cluster, gate, released, options }: Shared): Promise<Member> {
  const logs: Record<string, unknown>[] = [];
  const logger: Logger = pino({ level: 'debug' }, { write: (line: string) => void logs.push(JSON.parse(line)) });
  const registry = createTaskRegistry([...testTasks(released, gate.task), ...(options.tasks ?? [])]);
  const clustered = new Clustered({
    config: {
      ...{ dataDir: '', nodeName: name, nodeUrl: undefined, leaseSeconds: 10, pipelinesFrom: options.pipelinesFrom },
      keys: options.keysOf?.(name) ?? [CLUSTER_KEY],
      takeoverWaitSeconds: options.takeoverWaitSeconds ?? 30,
    },
    ...{ listensOn: '127.0.0.1', kind: 'sqlite', tasks: registry, logger, createNode: cluster.createNode },
    hands: { enter: () => undefined, letGo: () => undefined, ownedBy: () => undefined },
    isDeposed: (error) => error instanceof FakeDeposed,
    loaded: options.files?.(name) ?? { definitions: [], limiters: [] },
    fail: (error) => logger.fatal({ err: error }, 'the store has a fault'),
    createHost: (fail, clock) =>
      createLocalHost({
        ...{ ...HOST, registry, backlogCapacity: options.backlogCapacity ?? 100_000 },
        ports: { ...systemPorts, clock, logger, expressions: expressionLanguage, fail },
      }),
  });
  const app = await buildApp(
    {
      ...{ host: '127.0.0.1', allowedHosts: options.allowedHosts ?? [], bodyLimitBytes: 1_048_576, uploadIdleSeconds: 15 },
      ...{ shutdownTimeoutSeconds: 30, sseHeartbeatSeconds: 15 },
    },
    { host: clustered.host, keys: createKeyRing(options.apiKeys ?? []), logger, cluster: clustered.forHttp },
  );
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  await clustered.start(port);
  const node = cluster.node(name);
  const sockets = new Set<import('node:net').Socket>();
  app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return {
    ...{ name, app, clustered, node, port, url: node.url, logs },
    die() {
      app.server.close();
      for (const socket of sockets) socket.resetAndDestroy();
    },
  };
}
