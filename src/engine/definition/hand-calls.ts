import type { RunOn } from '../../schemas/definition.ts';
import { maskedError } from '../contract/masked-error.ts';
import type { TaskContext, TaskDeclaration, TaskHandler } from '../contract/task.ts';
import type { HandJob, HandRunner, HandUse, Ports } from '../ports.ts';
import type { Held, HookCall, PredicateCall } from './calls.ts';

/**
 * How a use is called in another process, with a `with` in which all templates are rendered. `here`: how it is called in this one, also when it was chosen and no
 * hand is there any more that could do it.
 */
export interface HandCalls {
  /** Whether the next call goes there. */
  readonly isChosen: boolean;
  task(given: unknown, here: TaskHandler): TaskHandler;
  predicate(given: unknown, here: PredicateCall): PredicateCall;
  hook(given: unknown, here: HookCall): HookCall;
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
  const isChosen = isFirm ? (): boolean => true : (): boolean => hands.isThereFor(kind, name);
  return callsOf({ hands, isFirm, isChosen, mask: secrets.mask, useOf: (given) => ({ kind, name, given, hasSecrets }) });
}

interface Calling {
  hands: HandRunner;
  isFirm: boolean;
  isChosen: () => boolean;
  mask: (text: string) => string;
  useOf: (given: unknown) => HandUse;
}

function callsOf({ hands, isFirm, isChosen, mask, useOf }: Calling): HandCalls {
  const or = (orHere: () => unknown): Pick<HandJob, 'orHere'> => (isFirm ? {} : { orHere });
  const silent = { onBegin: nothing, onWait: nothing, onStatus: nothing, onProgress: nothing };
  const calls: HandCalls = {
    get isChosen() {
      return isChosen();
    },
    task(given, here) {
      const use = useOf(given);
      return (...args: unknown[]) => {
        const context = args.pop() as TaskContext & Held;
        const { itemId, sequenceId, pipeline, stage, task, worker, attempt, lastError, metadata, trace } = context;
        context.waits('hand');
        return hands.run(
          {
            use,
            args,
            context: { itemId, sequenceId, pipeline, stage, task, worker, attempt, lastError, metadata, trace },
            onBegin: () => context.begins(),
            onWait: () => context.waits('hand'),
            onStatus: (text) => void context.setStatus(text),
            onProgress: (fraction) => context.progress(fraction),
            ...or(() => {
              context.begins();
              return here(...args, context);
            }),
          },
          context.signal,
        );
      };
    },
    predicate(given, here) {
      const use = useOf(given);
      return (value, info, end) => {
        const job = { use, args: [value], context: { ...info }, ...silent, ...or(() => here(value, info, end)) };
        return hands.run(job, end.signal) as Promise<boolean>;
      };
    },
    hook(given, here) {
      const use = useOf(given);
      return (itemId, told, info, place) => {
        const { pipeline, trace, end } = place;
        // There nothing knows the secrets, and a hook may send an error anywhere.
        const args = [itemId, told instanceof Error ? maskedError(told, mask) : told];
        const job = { use, args, context: { ...info, pipeline, trace }, ...silent, ...or(() => here(itemId, told, info, place)) };
        return hands.run(job, end.signal);
      };
    },
    taskOr(given, here) {
      const there = calls.task(given, here);
      return (...args: unknown[]) => (calls.isChosen ? there : here)(...args);
    },
    predicateOr(given, here) {
      const there = calls.predicate(given, here);
      return (...args) => (calls.isChosen ? there : here)(...args);
    },
    hookOr(given, here) {
      const there = calls.hook(given, here);
      return (...args) => (calls.isChosen ? there : here)(...args);
    },
  };
  return calls;
}

function nothing(): void {}
