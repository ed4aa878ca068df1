import type { FastifyInstance } from 'fastify';
import { buildApp } from '../src/app.ts';
import { createLocalHost, createTaskRegistry } from '../src/engine/index.ts';
import { systemPorts } from '../src/engine/ports.ts';

/** The HTTP side for who only asks what its routes are: that depends on no task, no pipeline and no setting. */
export async function bareApp(): Promise<FastifyInstance> {
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
  const app = await buildApp({ bodyLimitBytes: 1024, uploadIdleSeconds: 1, shutdownTimeoutSeconds: 1, sseHeartbeatSeconds: 15 }, { host });
  await app.ready();
  return app;
}
