/*
 * Room `definition`: turns definitions and options into functions. It looks up tasks by name, checks parameters, compiles templates, and
 * applies limits and live tuning.
 *
 * Holds: A specification is complete: later, only an item's own data can make it fail. A fault names its place in the definition as a JSON
 * Pointer.
 * Refuses: items, and any state of a run. A stage changes by getting another specification.
 */

import {
  type HookUse,
  type PauseAfterFailures,
  type StageDefinition,
  type StageDefinitionInput,
  stageDefinitionSchema,
  type TaskUse,
} from '../../schemas/definition.ts';
import { faultsOf, jsonPointer } from '../../schemas/faults.ts';
import type { WaitingReason } from '../../schemas/item.ts';
import type { Fault } from '../../schemas/problem.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';
import { describeThrown, SluiceError, StageValidationError, type Thrown } from '../contract/errors.ts';
import type { Hook, HookInfo, Predicate, TaskContext, TaskDeclaration, TaskHandler } from '../contract/task.ts';
import { AllLimits } from '../limits/all-limits.ts';
import type { Limit, SharedGate } from '../limits/gate.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { Logger, Ports, ThreadRunner } from '../ports.ts';
import { takesContext } from './takes-context.ts';
import type { TaskRegistry } from './task-registry.ts';
import { type ItemUse, type PreparedUse, prepareUse, useName, useParams } from './task-use.ts';

/** Makes the spec of a stage whose tasks are no longer registered: nothing in it can run until it gets another definition. */
export function placeholderStage(definition: StageDefinition): StageSpec {
  const tasks = definition.tasks.map((use): TaskSpec => {
    const name = useName(use);
    const call = (): never => {
      throw new Error(`the task "${name}" is no longer registered`);
    };
    return {
      name,
      params: undefined,
      call,
      takesContext: false,
      timeoutSeconds: undefined,
      defaultLimit: {},
      limiter: undefined,
      eventId: 0,
    };
  });
  // Until then it needs no more than one worker.
  return {
    definition: { ...definition, workers: 1 },
    tasks,
    secrets: [],
    skipIf: undefined,
    onSuccess: undefined,
    onFailure: undefined,
    onSkip: undefined,
    onPause: undefined,
  };
}

/** One task of a stage, ready to be called. */
export interface TaskSpec {
  name: string;
  params: unknown;
  /** Called with the value, and with a {@link TaskContext} if it takes one. */
  call: TaskHandler;
  takesContext: boolean;
  /** The task's own default; the stage's `taskTimeoutSeconds` overrides it. */
  timeoutSeconds: number | undefined;
  defaultLimit: Limit;
  /** A limiter shared with tasks of other stages and pipelines. */
  limiter: SharedGate | undefined;
  /** The number by which events refer to the task, assigned with its first event; 0 until then. */
  eventId: number;
}

/** An attempt, for a handler that has it run elsewhere, where there may be no room yet. */
export interface Held {
  /** Nothing of it runs until {@link Held.begins}. */
  waits(reason: WaitingReason): void;
  begins(): void;
}

/** Arguments of a registered hook beyond those that every hook gets. */
export interface HookPlace {
  pipeline: string;
  logger: Logger;
  /** The item's value, even when it has failed. */
  value: unknown;
  trace: TraceContext | null;
}
export type HookCall = (itemId: string, valueOrError: unknown, info: HookInfo, place: HookPlace) => unknown;

/** The hook `onDone` of a pipeline, called with a feed's id and a `DoneFeed`. */
export interface DoneHook {
  call: HookCall;
  /** Names of the secrets that its templates use. */
  secrets: readonly string[];
}

/** A stage's definition with its names turned into functions. */
export interface StageSpec {
  definition: StageDefinition;
  tasks: TaskSpec[];
  /** Names of the secrets that the stage's templates use. */
  secrets: readonly string[];
  skipIf: Predicate | undefined;
  onSuccess: HookCall | undefined;
  onFailure: HookCall | undefined;
  onSkip: HookCall | undefined;
  /** The hook of `pauseAfterFailures`. */
  onPause: HookCall | undefined;
}

/** A stage as a library user writes it: the definition's fields, with functions in place of names. */
export interface StageOptions
  extends Omit<StageDefinitionInput, 'tasks' | 'skipIf' | 'onSuccess' | 'onFailure' | 'onSkip' | 'pauseAfterFailures'> {
  tasks: readonly (TaskHandler | TaskDeclaration)[];
  skipIf?: Predicate;
  onSuccess?: Hook;
  onFailure?: Hook;
  onSkip?: Hook;
  pauseAfterFailures?: Omit<PauseAfterFailures, 'hook'> & { hook?: Hook };
}

/** How many items the previous stage may hand over before a worker is free. */
export function queueCapacityOf(definition: StageDefinition): number {
  return definition.queueCapacity ?? Math.max(100, definition.workers * 10);
}

/** The spec of a stage given as options. Throws {@link StageValidationError} with every fault. */
export function stageSpecOf(options: StageOptions): StageSpec {
  const { tasks, skipIf, onSuccess, onFailure, onSkip, pauseAfterFailures, ...rest } = options;
  const { hook: onPause, ...limit } = pauseAfterFailures ?? {};
  const faults: Fault[] = [];
  const named = Array.isArray(tasks) ? tasks.map((task, i) => declarationOf(task, i, faults)) : undefined;
  for (const [name, hook] of Object.entries({ skipIf, onSuccess, onFailure, onSkip, 'pauseAfterFailures/hook': onPause })) {
    if (hook !== undefined && typeof hook !== 'function') faults.push({ path: `/${name}`, message: 'must be a function' });
  }
  const parsed = stageDefinitionSchema.safeParse(
    { ...rest, ...(pauseAfterFailures && { pauseAfterFailures: limit }), tasks: named?.map((task) => task?.name ?? 'invalid') ?? tasks },
    { reportInput: true },
  );
  if (!parsed.success) faults.push(...faultsOf(parsed.error));
  else faults.push(...limitFaults(parsed.data));
  if (faults.length > 0 || !parsed.success) throw new StageValidationError(faults);
  const specs = (named as TaskDeclaration[]).map((task) => {
    const params = task.parseParams(undefined);
    const declaration = withThread(task, undefined);
    return taskSpecOf(declaration, params, declaration.prepare?.(params) ?? declaration.run, parsed.data.unpackArgs);
  });
  // Exactly the arguments of their signature: `HookPlace` is for registered hooks.
  const plain = (hook: Hook | undefined): HookCall | undefined => hook && ((itemId, told, info) => hook(itemId, told, info));
  return {
    definition: parsed.data,
    tasks: specs,
    secrets: [],
    skipIf,
    onSuccess: plain(onSuccess),
    onFailure: plain(onFailure),
    onSkip: plain(onSkip),
    onPause: plain(onPause),
  };
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

/** A fault for each limit that names no task of the stage. */
export function limitFaults(stage: Pick<StageDefinition, 'tasks' | 'taskConcurrencyLimits' | 'taskRateLimits'>): Fault[] {
  const names = new Set(stage.tasks.map(useName));
  return (['taskConcurrencyLimits', 'taskRateLimits'] as const).flatMap((field) =>
    Object.keys(stage[field])
      .filter((name) => !names.has(name))
      .map((name) => ({ path: jsonPointer([field, name]), message: `is not the name of a task of this stage` })),
  );
}

/** Everything needed to turn a definition's names into functions. */
export interface SpecEnvironment {
  registry: TaskRegistry;
  limiters: Limiters;
  ports: Pick<Ports, 'threads' | 'expressions' | 'secrets' | 'clock'>;
}

/** The spec of a checked definition. Throws `invalid-params` when a `with` does not match its task's schema, with every fault. */
export function resolveStage(definition: StageDefinition, environment: SpecEnvironment): StageSpec {
  const { onSuccess, onFailure, onSkip, skipIf, pauseAfterFailures, unpackArgs } = definition;
  const secrets = new Set<string>();
  const prepare: Prepare = (declaration, use) => {
    const prepared = prepareUse(declaration, useParams(use), environment.ports);
    for (const name of prepared.secrets) secrets.add(name);
    return prepared;
  };
  const onPause = pauseAfterFailures?.hook;
  const spec = {
    definition,
    tasks: definition.tasks.map((use) => resolveTask(use, unpackArgs, environment, prepare)),
    skipIf: skipIf === undefined ? undefined : resolvePredicate(skipIf, environment, prepare),
    onSuccess: onSuccess === undefined ? undefined : resolveHook(onSuccess, environment, prepare),
    onFailure: onFailure === undefined ? undefined : resolveHook(onFailure, environment, prepare),
    onSkip: onSkip === undefined ? undefined : resolveHook(onSkip, environment, prepare),
    onPause: onPause === undefined ? undefined : resolveHook(onPause, environment, prepare),
  };
  return { ...spec, secrets: [...secrets] };
}

/** The names of the limiters that a use of a task has. */
export function limitersOf(use: TaskUse): readonly string[] {
  if (typeof use === 'string' || use.limiter === undefined) return [];
  return typeof use.limiter === 'string' ? [use.limiter] : use.limiter;
}

/** The hook of a checked use. Throws as {@link resolveStage} does. */
export function resolveDoneHook(use: HookUse, environment: SpecEnvironment): DoneHook {
  let secrets: readonly string[] = [];
  const call = resolveHook(use, environment, (declaration, given) => {
    const prepared = prepareUse(declaration, useParams(given), environment.ports);
    secrets = prepared.secrets;
    return prepared;
  });
  return { call, secrets };
}

/** In place of a hook that is no longer registered: nobody calls it until there is another definition. */
export function placeholderDoneHook(use: HookUse): DoneHook {
  const call = (): never => {
    throw new Error(`the hook "${useName(use)}" is no longer registered`);
  };
  return { call, secrets: [] };
}

type Prepare = (declaration: TaskDeclaration, use: HookUse) => PreparedUse;

function resolveTask(use: TaskUse, unpackArgs: boolean, { registry, limiters, ports }: SpecEnvironment, prepareOf: Prepare): TaskSpec {
  const gates = limitersOf(use).map((name) => limiters.find(name) as SharedGate);
  const limiter = gates.length > 1 ? new AllLimits(gates) : gates[0];
  const declaration = withThread(registry.get(useName(use), 'task') as TaskDeclaration, ports.threads);
  const { params, handler, prepare } = prepareOf(declaration, use);
  if (prepare === null) return taskSpecOf(declaration, params, handler, unpackArgs, limiter);
  const templated = (value: unknown, context: TaskContext): unknown => {
    const { metadata, itemId, sequenceId } = context;
    const go = (made: ItemUse): unknown => {
      (context as { params: unknown }).params = made.params;
      return spread(made.handler, unpackArgs)(value, context);
    };
    const made = prepare({ value, metadata, itemId, sequenceId });
    if (!(made instanceof Promise)) return go(made);
    return made.then((late) => {
      // The attempt was given up while its parameters were rendered: its handler must not begin.
      context.signal.throwIfAborted();
      return go(late);
    });
  };
  return taskSpecOf(declaration, undefined, templated, false, limiter);
}

function resolvePredicate(use: HookUse, { registry }: SpecEnvironment, prepareOf: Prepare): Predicate {
  const prepared = prepareOf(registry.get(useName(use), 'predicate') as TaskDeclaration, use);
  if (prepared.prepare === null) {
    const { handler, params } = prepared;
    return (value, info) => handler(value, { ...info, params }) as boolean | Promise<boolean>;
  }
  return async (value, info) => {
    const { handler, params } = await prepared.prepare({ value, ...info });
    return handler(value, { ...info, params }) as boolean | Promise<boolean>;
  };
}

function resolveHook(use: HookUse, { registry, ports }: SpecEnvironment, prepareOf: Prepare): HookCall {
  const prepared = prepareOf(registry.get(useName(use), 'hook') as TaskDeclaration, use);
  if (prepared.prepare === null) {
    const { handler, params } = prepared;
    return (itemId, told, info, { pipeline, logger, trace }) => handler(itemId, told, info, { pipeline, logger, params, trace });
  }
  return async (itemId, told, info, { pipeline, logger, value, trace }) => {
    const { metadata, sequenceId } = info;
    // A template may send its result anywhere, so it gets the error as everybody sees it, with secrets masked.
    const error = told instanceof Error ? shownError(describeThrown(told, ports.secrets.mask)) : undefined;
    const { handler, params } = await prepared.prepare({ value, metadata, itemId, sequenceId, ...(error && { error }) });
    return handler(itemId, told, info, { pipeline, logger, params, trace });
  };
}

function shownError({ type, message }: Thrown): { type: string; message: string } {
  return { type, message };
}

function taskSpecOf(
  declaration: TaskDeclaration,
  params: unknown,
  handler: TaskHandler,
  unpackArgs: boolean,
  limiter?: SharedGate,
): TaskSpec {
  const defaultLimit: Limit = {};
  if (declaration.concurrency !== undefined) defaultLimit.concurrency = declaration.concurrency;
  if (declaration.rateLimit !== undefined) defaultLimit.rate = declaration.rateLimit;
  return {
    name: declaration.name,
    params,
    call: spread(handler, unpackArgs),
    takesContext: unpackArgs || takesContext(handler),
    timeoutSeconds: declaration.timeoutSeconds,
    defaultLimit,
    limiter,
    eventId: 0,
  };
}

function spread(handler: TaskHandler, unpackArgs: boolean): TaskSpec['call'] {
  if (!unpackArgs) return handler;
  return (value, context) => (Array.isArray(value) ? handler(...value, context) : handler(value, context));
}

function withThread(declaration: TaskDeclaration, threads: ThreadRunner | undefined): TaskDeclaration {
  return declaration.thread === true ? { ...declaration, prepare: () => threadHandler(declaration, threads) } : declaration;
}

function threadHandler(declaration: TaskDeclaration, threads: ThreadRunner | undefined): TaskHandler {
  const module = declaration.module;
  if (threads === undefined || module === undefined) {
    throw new SluiceError(
      'invalid-pipeline',
      `the task "${declaration.name}" requires a thread, but no thread runner or module is configured for it`,
    );
  }
  return (...args: unknown[]) => {
    const context = args.pop() as TaskContext & Held;
    context.waits('thread');
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
          trace: context.trace,
        },
        onBegin: () => context.begins(),
        onStatus: (text) => void context.setStatus(text),
        onProgress: (fraction) => context.progress(fraction),
      },
      context.signal,
    );
  };
}
