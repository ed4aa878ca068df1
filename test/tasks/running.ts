import { SluiceError, type TaskContext, type TaskDeclaration } from '../../src/engine/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import type { Fault } from '../../src/schemas/problem.ts';

function contextFor(params: unknown, overrides: Partial<TaskContext> = {}): TaskContext {
  const { signal = new AbortController().signal } = overrides;
  return {
    itemId: 'item-1',
    sequenceId: 7,
    pipeline: 'p',
    stage: 'Stage',
    task: 'task',
    worker: 'Stage-W0',
    attempt: 1,
    lastError: null,
    metadata: {},
    trace: null,
    params,
    signal,
    onAbort: (listener) => signal.addEventListener('abort', () => listener(signal.reason)),
    logger: silentLogger,
    setStatus: () => true,
    progress: () => undefined,
    permanent: (message) => new Error(message),
    retryAfter: (_seconds, message) => new Error(message),
    ...overrides,
  };
}

/** A use of a task in a definition, as a stage makes it: parsed and prepared once, then called for each value. */
export function use(task: TaskDeclaration, given: unknown, overrides: Partial<TaskContext> = {}): (value: unknown) => Promise<unknown> {
  const params = task.parseParams(given);
  const handler = task.prepare?.(params) ?? task.run;
  return async (value) => handler(value, contextFor(params, overrides));
}

/** What `parseParams` finds wrong. */
export function faultsIn(task: TaskDeclaration, given: unknown): Fault[] {
  try {
    task.parseParams(given);
    return [];
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'invalid-params') throw error;
    return error.errors ?? [];
  }
}
