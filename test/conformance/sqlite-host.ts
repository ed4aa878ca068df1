import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createLocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import type { MakeHost } from './world.ts';

/** Hosts on a store of their own, which are closed with their test. */
export const sqliteHosts =
  ({ inProcess }: { inProcess: boolean }): MakeHost =>
  async ({ registry }) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
    const store = await openSqliteStore({ file: join(folder, 'sluice.db'), inProcess });
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
    onTestFinished(async () => {
      await host.close();
      rmSync(folder, { recursive: true });
    });
    return host;
  };
