import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type LocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';

const file = (): string => join(folderWith(), 'sluice.db');
const pipeline = (id: string, workers: number): object => ({ id, stages: [{ name: 'S', workers, tasks: ['pass'] }] });

/** Starts as the service does: what the store has, then what the files say, then all of it is looked at. Ends with the start. */
async function start(store: string, files: readonly object[], maxWorkers: number): Promise<Record<string, number>> {
  const registry = createTaskRegistry([
    {
      ...{ kind: 'task', name: 'pass', description: 'pass', paramsSchema: null },
      ...{ parseParams: (given) => given, run: (value: unknown) => value },
    },
  ]);
  const host: LocalHost = createLocalHost({
    ...{ maxStages: 10, maxWorkersPerStage: 1000, retentionMaxItems: 100, retentionMaxAgeSeconds: 60, backlogCapacity: 100 },
    ...{ eventsKept: 100, hookTimeoutSeconds: 1, ports: systemPorts, registry, maxWorkers },
    store: await openSqliteStore({ file: store, inProcess: true }),
  });
  let isOver = false;
  const end = async (): Promise<void> => {
    if (isOver) return;
    isOver = true;
    await host.shutdown('force', 1);
    await host.close();
  };
  onTestFinished(end);
  try {
    await host.recover(new Set(files.map((definition) => (definition as { id: string }).id)));
    for (const definition of files) await host.load(definition);
    host.expectRoom();
    host.goOn();
    const all = await host.list();
    return Object.fromEntries(all.map(({ definition, workers }) => [definition.id, workers.S?.length ?? 0]));
  } finally {
    await end();
  }
}

it('files that make room for each other are taken, whatever their order', async () => {
  const store = file();
  expect(await start(store, [pipeline('a', 10), pipeline('b', 90)], 100)).toEqual({ a: 10, b: 90 });
  expect(await start(store, [pipeline('a', 90), pipeline('b', 10)], 100)).toEqual({ a: 90, b: 10 });
  expect(await start(store, [pipeline('b', 60), pipeline('a', 40)], 100)).toEqual({ a: 40, b: 60 });
});

it('files that have more than there may be are refused, changed or not', async () => {
  const store = file();
  const files = [pipeline('a', 60), pipeline('b', 40)];
  await expect(start(store, [pipeline('a', 60), pipeline('b', 41)], 100)).rejects.toThrow(/MAX_WORKERS allows \(100\)/);
  expect(await start(store, files, 100)).toEqual({ a: 60, b: 40 });
  await expect(start(store, files, 99)).rejects.toThrow(/100 workers, more than MAX_WORKERS allows \(99\)/);
  await expect(start(store, [pipeline('a', 59)], 98)).rejects.toThrow(/MAX_WORKERS allows \(98\)/);
  expect(await start(store, [pipeline('a', 59)], 99)).toEqual({ a: 59, b: 40 });
});
