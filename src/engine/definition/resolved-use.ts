import type { HookUse, RunOn, TaskUse } from '../../schemas/definition.ts';
import { describeThrown, type Thrown } from '../contract/errors.ts';
import type { TaskContext, TaskDeclaration, TaskHandler } from '../contract/task.ts';
import { AllLimits } from '../limits/all-limits.ts';
import type { Limit, SharedGate } from '../limits/gate.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { Ports } from '../ports.ts';
import type { HookCall, PredicateCall, TaskSpec } from './calls.ts';
import { type HandCalls, handCallsFor } from './hand-calls.ts';
import { placedDeclaration } from './run-on.ts';
import { takesContext } from './takes-context.ts';
import type { TaskRegistry } from './task-registry.ts';
import { limitersOf, type PreparedUse, prepareUse, useName, useParams } from './task-use.ts';

/** Everything needed to turn a definition's names into functions. */
export interface SpecEnvironment {
  registry: TaskRegistry;
  limiters: Limiters;
  ports: Pick<Ports, 'threads' | 'hands' | 'expressions' | 'secrets' | 'clock'>;
}

/** The same for the uses of one stage. */
interface Resolving extends SpecEnvironment {
  runOn: RunOn | undefined;
  /** Told of the names of the secrets that a use's templates have. */
  onSecrets: (names: readonly string[]) => void;
}

interface Resolved {
  declaration: TaskDeclaration;
  prepared: PreparedUse;
  /** How it is called in another process; null where it never is. */
  hands: HandCalls | null;
}

function resolve(use: HookUse, kind: TaskDeclaration['kind'], { registry, ports, runOn, onSecrets }: Resolving): Resolved {
  const registered = registry.get(useName(use), kind) as TaskDeclaration;
  const declaration = placedDeclaration(registered, runOn, ports.threads);
  const prepared = prepareUse(declaration, useParams(use), ports);
  onSecrets(prepared.secrets);
  return { declaration, prepared, hands: handCallsFor(registered, runOn, ports, prepared.secrets.length > 0) };
}

/** The task of a checked use. Throws `invalid-params` when its `with` does not match the schema. */
export function resolveTask(use: TaskUse, unpackArgs: boolean, resolving: Resolving): TaskSpec {
  const gates = limitersOf(use).map((name) => resolving.limiters.find(name) as SharedGate);
  const limiter = gates.length > 1 ? new AllLimits(gates) : gates[0];
  const { declaration, prepared, hands } = resolve(use, 'task', resolving);
  if (!prepared.isTemplated) {
    const { params, handler } = prepared;
    const call = hands === null ? handler : hands.taskOr(useParams(use), handler);
    return taskSpecOf(declaration, params, call, unpackArgs, limiter);
  }
  const { render, make } = prepared;
  const templated = (value: unknown, context: TaskContext): unknown => {
    const { metadata, itemId, sequenceId, lastError } = context;
    const here = (given: unknown): TaskHandler => {
      const made = make(given);
      (context as { params: unknown }).params = made.params;
      return made.handler;
    };
    const go = (given: unknown): unknown => {
      const call = hands?.isChosen === true ? hands.task(given, (...args) => here(given)(...args)) : here(given);
      return spread(call, unpackArgs)(value, context);
    };
    const given = render({ value, metadata, itemId, sequenceId, lastError });
    if (!(given instanceof Promise)) return go(given);
    return given.then((late) => {
      // The attempt was given up while its parameters were rendered: its handler must not begin.
      context.signal.throwIfAborted();
      return go(late);
    });
  };
  return taskSpecOf(declaration, undefined, templated, false, limiter);
}

/** The predicate of a checked use, as {@link resolveTask}. */
export function resolvePredicate(use: HookUse, resolving: Resolving): PredicateCall {
  const { prepared, hands } = resolve(use, 'predicate', resolving);
  if (!prepared.isTemplated) {
    const { handler, params } = prepared;
    const here: PredicateCall = (value, info) => handler(value, { ...info, params }) as boolean | Promise<boolean>;
    return hands === null ? here : hands.predicateOr(useParams(use), here);
  }
  const { render, make } = prepared;
  return async (value, info, end) => {
    const given = await render({ value, ...info });
    const here: PredicateCall = () => {
      const { handler, params } = make(given);
      return handler(value, { ...info, params }) as boolean | Promise<boolean>;
    };
    return (hands?.isChosen === true ? hands.predicate(given, here) : here)(value, info, end);
  };
}

/** The hook of a checked use, as {@link resolveTask}. */
export function resolveHook(use: HookUse, resolving: Resolving): HookCall {
  const { prepared, hands } = resolve(use, 'hook', resolving);
  if (!prepared.isTemplated) {
    const { handler, params } = prepared;
    const here: HookCall = (itemId, told, info, { pipeline, logger, trace }) =>
      handler(itemId, told, info, { pipeline, logger, params, trace });
    return hands === null ? here : hands.hookOr(useParams(use), here);
  }
  const { render, make } = prepared;
  const { mask } = resolving.ports.secrets;
  return async (itemId, told, info, place) => {
    const { pipeline, logger, value, trace } = place;
    const { metadata, sequenceId } = info;
    // A template may send its result anywhere, so it gets the error as everybody sees it, with secrets masked.
    const error = told instanceof Error ? shownError(describeThrown(told, mask)) : undefined;
    const given = await render({ value, metadata, itemId, sequenceId, ...(error && { error }) });
    const here: HookCall = () => {
      const { handler, params } = make(given);
      return handler(itemId, told, info, { pipeline, logger, params, trace });
    };
    return (hands?.isChosen === true ? hands.hook(given, here) : here)(itemId, told, info, place);
  };
}

function shownError({ type, message }: Thrown): { type: string; message: string } {
  return { type, message };
}

/** A task that is called as its handler wants it. */
export function taskSpecOf(
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
