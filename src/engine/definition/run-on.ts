import type { RunOn } from '../../schemas/definition.ts';
import type { Fault } from '../../schemas/problem.ts';
import type { TaskDeclaration } from '../contract/task.ts';
import type { Ports, ThreadRunner } from '../ports.ts';
import type { TaskRegistry } from './task-registry.ts';
import { withThread } from './thread-handler.ts';

interface Places {
  registry: TaskRegistry;
  ports: Pick<Ports, 'threads' | 'hands'>;
}

/**
 * The faults of a stage's `runOn`, with paths inside the stage. `names`: of its tasks, as far as they can be read. No hand need be connected: what
 * is to run on one waits for it, but there must be a way for one to come.
 */
export function runOnFaults(runOn: unknown, names: readonly unknown[], { registry, ports }: Places): Fault[] {
  if (runOn === 'hands' && ports.hands === undefined) {
    return [{ path: '/runOn', message: 'is "hands", but no hands can connect to this engine' }];
  }
  if (runOn !== 'thread') return [];
  if (ports.threads === undefined) return [{ path: '/runOn', message: 'is "thread", but this engine has no threads' }];
  return names.flatMap((name, i) => {
    const declaration = typeof name === 'string' ? registry.get(name, 'task') : undefined;
    if (declaration === undefined || declaration.module !== undefined) return [];
    return [
      { path: `/tasks/${i}`, message: `"${name}" has no module of its own that a thread could load, but the stage has runOn "thread"` },
    ];
  });
}

/** The declaration as it is called in this process: in a thread where it, or its stage, asks for one. Throws `invalid-pipeline` where that cannot be. */
export function placedDeclaration(
  declaration: TaskDeclaration,
  runOn: RunOn | undefined,
  threads: ThreadRunner | undefined,
): TaskDeclaration {
  // It is never called in this process, which may have no threads.
  if (runOn === 'hands') return declaration;
  return withThread(runOn === 'thread' && declaration.kind === 'task' ? { ...declaration, thread: true } : declaration, threads);
}
