/**
 * Writes openapi/openapi.json from the routes.
 *
 *   node scripts/openapi.ts           writes it
 *   node scripts/openapi.ts --check   fails when the file is not what the code says
 */
import { fileURLToPath } from 'node:url';
import { buildApp } from '../src/app.ts';
import { createLocalHost, createTaskRegistry } from '../src/engine/index.ts';
import { systemPorts } from '../src/engine/ports.ts';
import { writeOrCheck } from './generated.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

// The document depends on no task, no pipeline and no setting.
const host = createLocalHost({
  registry: createTaskRegistry([]),
  ports: systemPorts,
  maxStages: 1,
  maxWorkersPerStage: 1,
  retentionMaxItems: 1,
  retentionMaxAgeSeconds: 1,
  backlogCapacity: 1,
  eventsKept: 1,
  hookTimeoutSeconds: 1,
});
const app = await buildApp({ bodyLimitBytes: 1024, shutdownTimeoutSeconds: 1, sseHeartbeatSeconds: 15 }, { host });
await app.ready();
const text = `${JSON.stringify(app.swagger(), null, 2)}\n`;
await app.close();

writeOrCheck({ 'openapi/openapi.json': text }, 'openapi');
