import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createLocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import type { MakeHost } from './world.ts';

/** Hosts on a store of their own, which are closed with their test. `isUncertain`: of a process before them that may have run anything. */
export const sqliteHosts =
  ({ inProcess, isUncertain = false }: { inProcess: boolean; isUncertain?: boolean }): MakeHost =>
  async ({ registry }) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
    const opened = await openSqliteStore({ file: join(folder, 'sluice.db'), inProcess });
    const store: Store = isUncertain ? Object.create(opened, { isUncertain: { value: true } }) : opened;
    const host = createLocalHost({
      registry,
      store,
      ports: systemPorts,
      maxStages: 64,
      maxWorkersPerStage: 10_000,
      retentionMaxItems: 10_000,
      retentionMaxAgeSeconds: 3_600,
      backlogCapacity: 10_000,
      eventsKept: 50_000,
      hookTimeoutSeconds: 30,
    });
    await host.recover();
    host.goOn();
    onTestFinished(async () => {
      await host.close();
      rmSync(folder, { recursive: true });
    });
    return host;
  };
