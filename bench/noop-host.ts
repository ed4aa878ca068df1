import { createLocalHost, createTaskRegistry, type TaskDeclaration } from '../src/engine/index.ts';
import { type Ports, systemPorts } from '../src/engine/ports.ts';

const NAMES = ['noop', 'other'];

/** A host in memory that keeps no finished items, with the tasks `noop` and `other`, which return what they are given. `backlog`: how many items may wait in a pipeline. */
export function noopHost(backlog: number, ports: Partial<Ports> = {}) {
  const tasks = NAMES.map(
    (name): TaskDeclaration => ({
      name,
      kind: 'task',
      description: '',
      paramsSchema: null,
      parseParams: () => undefined,
      run: (value) => value,
    }),
  );
  return createLocalHost({
    registry: createTaskRegistry(tasks),
    ports: { ...systemPorts, ...ports },
    retentionMaxItems: 0,
    retentionMaxAgeSeconds: 60,
    backlogCapacity: backlog,
    eventsKept: 1024,
    hookTimeoutSeconds: 30,
    maxStages: 10,
    maxWorkersPerStage: 100,
  });
}
