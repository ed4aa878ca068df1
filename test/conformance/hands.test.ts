import { createLocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { forHands, jsonHands } from '../engine/hands/json-hands.ts';
import { runtimeSuite } from './runtime-suite.ts';

/** Every task, predicate and hook of the suite is called by a hand, over JSON and in a later turn. */
runtimeSuite(
  'the local runtime with all tasks on hands',
  ({ registry }) =>
    createLocalHost({
      registry: forHands(registry),
      ports: { ...systemPorts, hands: jsonHands(registry) },
      maxStages: 64,
      maxWorkersPerStage: 10_000,
      retentionMaxItems: 10_000,
      retentionMaxAgeSeconds: 3_600,
      backlogCapacity: 10_000,
      eventsKept: 50_000,
      hookTimeoutSeconds: 30,
    }),
  {
    skip: [
      {
        reason: 'a handler that ignores its signal is at its hand, which counts it; here its call has ended',
        tests: ['cancel and retry > cancel aborts a running item and frees its worker at once, though its handler goes on'],
      },
    ],
  },
);
