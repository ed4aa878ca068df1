import { createLocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { runtimeSuite } from './runtime-suite.ts';

runtimeSuite(
  'the local runtime on the memory store',
  ({ registry }) =>
    createLocalHost({
      registry,
      ports: systemPorts,
      maxStages: 64,
      maxWorkersPerStage: 10_000,
      retentionMaxItems: 10_000,
      retentionMaxAgeSeconds: 3_600,
      backlogCapacity: 10_000,
      eventsKept: 50_000,
      hookTimeoutSeconds: 30,
    }),
  { skip: [] },
);
