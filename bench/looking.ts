import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalHost, createTaskRegistry } from '../src/engine/index.ts';
import { systemPorts } from '../src/engine/ports.ts';
import { openSqliteStore } from '../src/stores/sqlite/index.ts';
import { longestStretch } from '../test/loop-stretch.ts';
import { report } from './row.ts';

/* That looking at a million stored items, half of them failed, never holds the event loop for long. `COUNT` is for trying it with fewer. */

const COUNT = Number(process.env.COUNT ?? 1_000_000);
const BATCH = 500;
const MOST_MS = 20;

const picky = {
  name: 'picky',
  kind: 'task' as const,
  description: '',
  paramsSchema: null,
  parseParams: () => undefined,
  run(value: unknown) {
    if (Number(value) % 2 === 0)
      throw new TypeError(`order ${value} of "c-${value}" was refused: no stock in warehouse ${Number(value) % 7}`);
    return value;
  },
};

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const store = await openSqliteStore({ file: join(folder, 'sluice.db') });
const host = createLocalHost({
  registry: createTaskRegistry([picky]),
  store,
  ports: systemPorts,
  maxStages: 10,
  maxWorkersPerStage: 100,
  retentionMaxItems: 2 * COUNT,
  retentionMaxAgeSeconds: 86_400,
  backlogCapacity: 10_000,
  eventsKept: 1024,
  hookTimeoutSeconds: 30,
});
await host.recover();
host.goOn();
const once = { workers: 16, tasks: ['picky'], taskAttempts: 1, stageAttempts: 1 };
await host.create({ id: 'p', stages: ['A', 'B'].map((name) => ({ name, ...once })) });
const p = host.get('p');
const writer = await p.openFeed({ feedId: 'f' });
for (let n = 0; n < COUNT; n += BATCH)
  await writer.push(Array.from({ length: BATCH }, (_, i) => ({ id: `i${n + i}`, value: n + i, customer: `c${(n + i) % 100}` })));
await writer.end();
await p.waitForFeed('f', {});

const dry = { dryRun: true };
const looks: Record<string, () => Promise<unknown>> = {
  'groups, the first request': () => p.errorGroups({ limit: 100 }),
  'groups of a feed, five requests at once': () => Promise.all(Array.from({ length: 5 }, () => p.errorGroups({ limit: 100, feedId: 'f' }))),
  'a page of 1000': () => p.items({ after: 0, limit: 1000 }),
  'a text that nothing has': () => p.items({ after: 0, limit: 100, text: 'nothing has this' }),
  'a stage that has none': () => p.items({ after: 0, limit: 100, stage: 'B', status: ['failed'] }),
  'a status that none of the feed has': () => p.items({ after: 0, limit: 100, feedId: 'f', status: ['cancelled'] }),
  'a dry run over all': () => p.retryFailed(dry),
  'a dry run by metadata': () => p.retryFailed({ ...dry, metadata: { customer: 'c2' } }),
};
const rows = [];
for (const [what, look] of Object.entries(looks)) {
  globalThis.gc?.();
  const { longestMs, totalMs } = await longestStretch(look);
  rows.push({
    claim: `${what}, over ${COUNT} stored items: longest stretch of the event loop`,
    bar: `< ${MOST_MS} ms`,
    figure: `${longestMs.toFixed(1)} ms of ${totalMs.toFixed(0)} ms, in time of a processor`,
    holds: longestMs < MOST_MS,
  });
}
await host.shutdown('force', 10);
await host.close();
rmSync(folder, { recursive: true, force: true });
report(rows);
