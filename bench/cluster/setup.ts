import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Service, startService } from '../servers/service.ts';

/** Where the stores of the benchmark write: a folder in memory would have nothing to sync. */
export const ON_DISK = existsSync('/var/tmp') ? '/var/tmp' : '/tmp';

const TASKS: Record<string, string> = {
  noop: 'export default { run: (value) => value };\n',
  wait: `import { setTimeout } from 'node:timers/promises';
export default { run: async (value, ctx) => { await setTimeout(5, undefined, { signal: ctx.signal }); return value; } };
`,
  slow: `import { setTimeout } from 'node:timers/promises';
export default { run: async (value, ctx) => { await setTimeout(20, undefined, { signal: ctx.signal }); return value; } };
`,
  burn: `export default { run(value) { let x = 1; for (let i = 0; i < 2_000_000; i++) x = (x * 16807) % 2147483647; return { value, x }; } };
`,
};

const DEFINITIONS = [
  { id: 'p', stages: ['A', 'B', 'C'].map((name) => ({ name, workers: 10, tasks: ['noop'] })) },
  { id: 'wait', stages: [{ name: 'Wait', workers: 10, tasks: ['wait'] }] },
  { id: 'queue', stages: [{ name: 'Slow', workers: 2, tasks: ['slow'] }], backlogCapacity: 10_000_000 },
  { id: 'burn', stages: [{ name: 'Burn', workers: 8, tasks: ['burn'] }] },
];

/** Tasks of one's own and their pipelines, which all services of the benchmark have. */
export function folderOfWork(folder: string): Record<string, string> {
  const tasks = join(folder, 'tasks');
  const pipelines = join(folder, 'pipelines');
  mkdirSync(tasks);
  mkdirSync(pipelines);
  for (const [name, text] of Object.entries(TASKS)) writeFileSync(join(tasks, `${name}.mjs`), text);
  for (const definition of DEFINITIONS) writeFileSync(join(pipelines, `${definition.id}.json`), JSON.stringify(definition));
  return { TASKS_DIR: tasks, PIPELINES: pipelines, OUTPUT_DIR: folder };
}

export const LEASE_SECONDS = 3;

/** What makes a service a node of the cluster over this PostgreSQL. */
export function nodeEnv(storeUrl: string, folder: string, name: string): Record<string, string> {
  return {
    STORE_URL: storeUrl,
    CLUSTER_KEY: 'a-secret-that-all-nodes-have',
    LEASE_SECONDS: String(LEASE_SECONDS),
    NODE_NAME: name,
    DATA_DIR: join(folder, name),
  };
}

/** A hand of a service, as a process of its own. */
export function startHand(work: Record<string, string>, owner: Service, name: string, env: Record<string, string> = {}): Promise<Service> {
  return startService({ ...work, ROLE: 'hand', OWNER_URL: owner.url, HAND_NAME: name, ...env }, 'the hand is connected');
}
