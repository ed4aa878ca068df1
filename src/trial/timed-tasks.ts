import type { TaskContext, TaskDeclaration, TaskHandler, UseTraits } from '../engine/index.ts';
import type { ExpressionLanguage, ThreadRunner } from '../engine/ports.ts';
import { pass } from './http-stand-in.ts';
import type { OutsideKind, VirtualTime } from './virtual-time.ts';

/** They wait on the clock alone: for them, time is to go on. */
const ON_THE_CLOCK = new Set(['http_request', 'http_notify']);

/** The tasks for a clock on which waiting takes no time: it is told of each call that goes on outside of it. */
export function timedTasks(
  declarations: readonly TaskDeclaration[],
  own: ReadonlySet<TaskDeclaration>,
  time: VirtualTime,
): TaskDeclaration[] {
  return declarations.map((declaration): TaskDeclaration => {
    if (own.has(declaration)) return noted(declaration, time, 'own');
    if (declaration.name === 'sleep')
      return { ...declaration, prepare: (params: unknown) => sleepOn(time, (params as { seconds: number }).seconds) };
    return ON_THE_CLOCK.has(declaration.name) ? declaration : noted(declaration, time, 'free');
  });
}

export function timedThreads(threads: ThreadRunner, time: VirtualTime): ThreadRunner {
  return {
    ...threads,
    run: (job, signal) => time.outside(threads.run(job, signal), 'own'),
    close: () => time.outside(threads.close(), 'free'),
  };
}

export function timedExpressions(language: ExpressionLanguage, time: VirtualTime): ExpressionLanguage {
  return {
    ...language,
    compile: (source) => {
      const evaluate = language.compile(source);
      return (input, bindings) => {
        const found = evaluate(input, bindings);
        return found instanceof Promise ? time.outside(found, 'free') : found;
      };
    },
  };
}

function noted(declaration: TaskDeclaration, time: VirtualTime, kind: OutsideKind): TaskDeclaration {
  const { prepare, run } = declaration;
  const within =
    (handler: TaskHandler): TaskHandler =>
    (...args) => {
      const result = handler(...args);
      if (typeof (result as PromiseLike<unknown> | null)?.then !== 'function') return result;
      const promise = Promise.resolve(result);
      // An attempt that was given up is not waited for, as the service would not.
      const { onAbort } = (args.at(-1) ?? {}) as Partial<TaskContext>;
      const givenUp = new Promise<void>((resolve) => onAbort?.call(args.at(-1), () => resolve()));
      void time.outside(Promise.race([promise, givenUp]), kind).catch(() => undefined);
      return promise;
    };
  return {
    ...declaration,
    run: within(run),
    ...(prepare !== undefined && { prepare: (params: unknown, traits?: UseTraits) => within(prepare(params, traits)) }),
  };
}

function sleepOn(time: VirtualTime, seconds: number): TaskHandler {
  return async (value: unknown, context: TaskContext) => {
    await pass(time, seconds, (listener) => context.onAbort(listener));
    return value;
  };
}
