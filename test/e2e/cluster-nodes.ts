/** Nodes of a cluster as processes, over a schema of their own. */
import { afterAll, onTestFinished } from 'vitest';
import { ownSchema } from '../cluster/postgres-service.ts';
import { PostgresProxy } from '../cluster/proxy.ts';
import { folderWith } from '../loader/folder.ts';
import { createGate, GATE_TASK } from './gate.ts';
import { type ServerProcess, type StartOptions, startServer } from './server.ts';

const CLUSTER_KEY = 'a-secret-that-all-nodes-have';

const schemas: { drop(): Promise<void> }[] = [];
afterAll(() => Promise.all(schemas.map((schema) => schema.drop())));

/**
 * They are killed when the test is over. The pipeline `p` holds its items at the gate, `echo` ends them at once. `isProxied`: each has a proxy before PostgreSQL. `checkout`:
 * the folder of the project whose service the first nodes are.
 */
export async function startNodes(
  url: string,
  names: readonly string[],
  moreOf: (name: string) => Record<string, string> = () => ({}),
  { isProxied = false, checkout }: { isProxied?: boolean; checkout?: string | undefined } = {},
) {
  const schema = ownSchema(url);
  schemas.push(schema);
  const gate = await createGate();
  const cwd = folderWith({
    'tasks/gate.mjs': GATE_TASK,
    'tasks/echo.mjs': 'export default { run: (value) => value };',
    'pipelines/p.yaml': 'id: p\nstages:\n  - name: S\n    workers: 4\n    tasks: [gate]\n',
    'pipelines/echo.yaml': 'id: echo\nstages:\n  - name: S\n    tasks: [echo]\n',
  });
  const env = { CLUSTER_KEY, LEASE_SECONDS: '3', TAKEOVER_WAIT_SECONDS: '60', TASKS_DIR: './tasks' };
  const proxies = new Map<string, PostgresProxy>();
  const storeFor = async (name: string): Promise<string> => {
    if (!isProxied) return schema.url;
    const proxy = await PostgresProxy.before(schema.url);
    proxies.set(name, proxy);
    return proxy.url;
  };
  const start = async (name: string, options: StartOptions = {}): Promise<ServerProcess> =>
    startServer({ ...env, STORE_URL: await storeFor(name), ...moreOf(name), NODE_NAME: name, DATA_DIR: `./${name}` }, { cwd, ...options });
  const nodes = new Map(await Promise.all(names.map(async (name) => [name, await start(name, { checkout })] as const)));
  onTestFinished(async () => {
    for (const node of nodes.values()) node.signal('SIGKILL');
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
  });
  /** The node that owns, when one does, and the others. */
  const parted = async (): Promise<{ owner: ServerProcess; others: ServerProcess[] }> => {
    const all = [...nodes.values()];
    const owner = await Promise.any(all.map((node) => node.logged('the pipelines go on here').then(() => node)));
    return { owner, others: all.filter((node) => node !== owner) };
  };
  /** The proxy that stands between a node and PostgreSQL. */
  const before = (node: ServerProcess): PostgresProxy => {
    const [name] = [...nodes].find(([, each]) => each === node) as [string, ServerProcess];
    return proxies.get(name) as PostgresProxy;
  };
  return { nodes, gate, parted, start, before };
}
