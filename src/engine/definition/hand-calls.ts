import type { RunOn } from '../../schemas/definition.ts';
import { maskedError } from '../contract/masked-error.ts';
import type { TaskContext, TaskDeclaration, TaskHandler } from '../contract/task.ts';
import type { HandRunner, HandUse, Ports } from '../ports.ts';
import type { Held, HookCall, PredicateCall } from './calls.ts';

/** How a use is called in another process, with a `with` in which all templates are rendered. */
export interface HandCalls {
  /** Whether the next call goes there. */
  readonly isChosen: boolean;
  task(given: unknown): TaskHandler;
  predicate(given: unknown): PredicateCall;
  hook(given: unknown): HookCall;
  /** The same where it is chosen, and `here` where it is not. */
  taskOr(given: unknown, here: TaskHandler): TaskHandler;
  predicateOr(given: unknown, here: PredicateCall): PredicateCall;
  hookOr(given: unknown, here: HookCall): HookCall;
}

/**
 * The way of a use to the hands; null where it always stays in this process. In a stage whose `runOn` is `hands` all tasks go there, wherever they
 * come from, and so do the predicates and hooks of users; without a `runOn`, what {@link TaskDeclaration.prefersHands} does, while hands are there.
 */
export function handCallsFor(
  { kind, name, prefersHands = false }: Pick<TaskDeclaration, 'kind' | 'name' | 'prefersHands'>,
  runOn: RunOn | undefined,
  { hands, secrets }: Pick<Ports, 'hands' | 'secrets'>,
  hasSecrets: boolean,
): HandCalls | null {
  const isFirm = runOn === 'hands';
  if (hands === undefined || runOn === 'here') return null;
  if (runOn === 'thread' && kind === 'task') return null;
  if (!prefersHands && !(isFirm && kind === 'task')) return null;
  return callsOf(hands, isFirm, secrets.mask, (given): HandUse => ({ kind, name, given, hasSecrets }));
}

function callsOf(hands: HandRunner, isFirm: boolean, mask: (text: string) => string, useOf: (given: unknown) => HandUse): HandCalls {
  const silent = { onBegin: nothing, onWait: nothing, onStatus: nothing, onProgress: nothing };
  const calls: HandCalls = {
    get isChosen() {
      return isFirm || hands.isThere;
    },
    task(given) {
      const use = useOf(given);
      return (...args: unknown[]) => {
        const context = args.pop() as TaskContext & Held;
        const { itemId, sequenceId, pipeline, stage, task, worker, attempt, metadata, trace } = context;
        context.waits('hand');
        return hands.run(
          {
            use,
            args,
            context: { itemId, sequenceId, pipeline, stage, task, worker, attempt, metadata, trace },
            onBegin: () => context.begins(),
            onWait: () => context.waits('hand'),
            onStatus: (text) => void context.setStatus(text),
            onProgress: (fraction) => context.progress(fraction),
          },
          context.signal,
        );
      };
    },
    predicate(given) {
      const use = useOf(given);
      return (value, info, { signal }) => hands.run({ use, args: [value], context: { ...info }, ...silent }, signal) as Promise<boolean>;
    },
    hook(given) {
      const use = useOf(given);
      return (itemId, told, info, { pipeline, trace, end }) => {
        // There nothing knows the secrets, and a hook may send an error anywhere.
        const args = [itemId, told instanceof Error ? maskedError(told, mask) : told];
        return hands.run({ use, args, context: { ...info, pipeline, trace }, ...silent }, end.signal);
      };
    },
    taskOr(given, here) {
      const there = calls.task(given);
      return (...args: unknown[]) => (calls.isChosen ? there : here)(...args);
    },
    predicateOr(given, here) {
      const there = calls.predicate(given);
      return (...args) => (calls.isChosen ? there : here)(...args);
    },
    hookOr(given, here) {
      const there = calls.hook(given);
      return (...args) => (calls.isChosen ? there : here)(...args);
    },
  };
  return calls;
}

function nothing(): void {}
