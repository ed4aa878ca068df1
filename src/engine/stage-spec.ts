import { type StageDefinition, type StageDefinitionInput, stageDefinitionSchema, type TaskUse } from '../schemas/definition.ts';
import { faultsOf, jsonPointer } from '../schemas/faults.ts';
import type { Fault } from '../schemas/problem.ts';
import { SluiceError, StageValidationError } from './errors.ts';
import type { Limit } from './limits.ts';
import type { ThreadRunner } from './ports.ts';
import type { Hook, Predicate, TaskContext, TaskDeclaration, TaskHandler } from './task.ts';
import type { TaskRegistry } from './task-registry.ts';

/** One task of a stage, ready to be called. */
export interface TaskSpec {
  name: string;
  params: unknown;
  call: (value: unknown, context: TaskContext) => unknown;
  /** Its own default; the stage's `taskTimeoutSeconds` goes before it. */
  timeoutSeconds: number | undefined;
  defaultLimit: Limit;
  /** What the events call it; given with its first one. */
  eventId: number;
}

/** A stage's definition with its names turned into functions. */
export interface StageSpec {
  definition: StageDefinition;
  tasks: TaskSpec[];
  skipIf: Predicate | undefined;
  onSuccess: Hook | undefined;
  onFailure: Hook | undefined;
  onSkip: Hook | undefined;
}

/** A stage as a library user writes it: the definition's fields, with functions for names. */
export interface StageOptions extends Omit<StageDefinitionInput, 'tasks' | 'skipIf' | 'onSuccess' | 'onFailure' | 'onSkip'> {
  tasks: readonly (TaskHandler | TaskDeclaration)[];
  skipIf?: Predicate;
  onSuccess?: Hook;
  onFailure?: Hook;
  onSkip?: Hook;
}

/** How many items the stage before may hand over ahead of time. */
export function queueCapacityOf(definition: StageDefinition): number {
  return definition.queueCapacity ?? Math.max(100, definition.workers * 10);
}

/** Throws {@link StageValidationError} with every fault. */
export function stageSpecOf(options: StageOptions): StageSpec {
  const { tasks, skipIf, onSuccess, onFailure, onSkip, ...rest } = options;
  const faults: Fault[] = [];
  const named = Array.isArray(tasks) ? tasks.map((task, i) => declarationOf(task, i, faults)) : undefined;
  for (const [name, hook] of Object.entries({ skipIf, onSuccess, onFailure, onSkip })) {
    if (hook !== undefined && typeof hook !== 'function') faults.push({ path: `/${name}`, message: 'must be a function' });
  }
  const parsed = stageDefinitionSchema.safeParse(
    { ...rest, tasks: named?.map((task) => task?.name ?? 'invalid') ?? tasks },
    { reportInput: true },
  );
  if (!parsed.success) faults.push(...faultsOf(parsed.error));
  else faults.push(...limitFaults(parsed.data));
  if (faults.length > 0 || !parsed.success) throw new StageValidationError(faults);
  const specs = (named as TaskDeclaration[]).map((task) =>
    taskSpecOf(task, task.parseParams(undefined), parsed.data.unpackArgs, undefined),
  );
  return { definition: parsed.data, tasks: specs, skipIf, onSuccess, onFailure, onSkip };
}

function declarationOf(task: unknown, index: number, faults: Fault[]): TaskDeclaration | undefined {
  if (typeof task === 'function') {
    const name = task.name === '' ? `task-${index}` : task.name;
    return { name, kind: 'task', description: '', paramsSchema: null, parseParams: (given) => given, run: task as TaskHandler };
  }
  if (typeof task === 'object' && task !== null && typeof (task as TaskDeclaration).run === 'function') return task as TaskDeclaration;
  faults.push({ path: `/tasks/${index}`, message: 'must be a function' });
  return undefined;
}

/** A limit names a task that the stage has; anything else is a misspelling. */
export function limitFaults(stage: Pick<StageDefinition, 'tasks' | 'taskConcurrencyLimits' | 'taskRateLimits'>): Fault[] {
  const names = new Set(stage.tasks.map(taskName));
  return (['taskConcurrencyLimits', 'taskRateLimits'] as const).flatMap((field) =>
    Object.keys(stage[field])
      .filter((name) => !names.has(name))
      .map((name) => ({ path: jsonPointer([field, name]), message: `names a task that this stage does not have` })),
  );
}

export function taskName(use: TaskUse): string {
  return typeof use === 'string' ? use : use.task;
}

/** The spec of a checked definition. Throws `invalid-params` when a `with` does not fit, with every fault. */
export function resolveStage(definition: StageDefinition, registry: TaskRegistry, threads: ThreadRunner | undefined): StageSpec {
  const tasks = definition.tasks.map((use) => {
    const declaration = registry.get(taskName(use), 'task') as TaskDeclaration;
    const params = declaration.parseParams(typeof use === 'string' ? undefined : use.with);
    return taskSpecOf(declaration, params, definition.unpackArgs, threads);
  });
  const hook = (name: string | undefined): Hook | undefined =>
    name === undefined ? undefined : ((registry.get(name, 'hook') as TaskDeclaration).run as Hook);
  const predicate = definition.skipIf === undefined ? undefined : (registry.get(definition.skipIf, 'predicate') as TaskDeclaration).run;
  return {
    definition,
    tasks,
    skipIf: predicate as Predicate | undefined,
    onSuccess: hook(definition.onSuccess),
    onFailure: hook(definition.onFailure),
    onSkip: hook(definition.onSkip),
  };
}

function taskSpecOf(declaration: TaskDeclaration, params: unknown, unpackArgs: boolean, threads: ThreadRunner | undefined): TaskSpec {
  const handler = declaration.thread === true ? threadHandler(declaration, threads) : (declaration.prepare?.(params) ?? declaration.run);
  const call = unpackArgs
    ? (value: unknown, context: TaskContext) => (Array.isArray(value) ? handler(...value, context) : handler(value, context))
    : handler;
  const defaultLimit: Limit = {};
  if (declaration.concurrency !== undefined) defaultLimit.concurrency = declaration.concurrency;
  if (declaration.rateLimit !== undefined) defaultLimit.rate = declaration.rateLimit;
  return { name: declaration.name, params, call, timeoutSeconds: declaration.timeoutSeconds, defaultLimit, eventId: 0 };
}

function threadHandler(declaration: TaskDeclaration, threads: ThreadRunner | undefined): TaskHandler {
  const module = declaration.module;
  if (threads === undefined || module === undefined) {
    throw new SluiceError(
      'invalid-pipeline',
      `the task "${declaration.name}" wants a thread, and there is no thread runner or module for it`,
    );
  }
  return (...args: unknown[]) => {
    const context = args.pop() as TaskContext;
    return threads.run(
      {
        module,
        args,
        context: {
          itemId: context.itemId,
          sequenceId: context.sequenceId,
          pipeline: context.pipeline,
          stage: context.stage,
          task: context.task,
          worker: context.worker,
          attempt: context.attempt,
          metadata: context.metadata,
          params: context.params,
        },
        onStatus: (text) => void context.setStatus(text),
        onProgress: (fraction) => context.progress(fraction),
      },
      context.signal,
    );
  };
}
