import { SluiceError } from '../contract/errors.ts';
import type { TaskContext, TaskDeclaration, TaskHandler } from '../contract/task.ts';
import type { ThreadRunner } from '../ports.ts';
import type { Held } from './calls.ts';

/** The declaration with a handler that has it run in a thread, if it asks for one. Throws `invalid-pipeline` when it cannot have one. */
export function withThread(declaration: TaskDeclaration, threads: ThreadRunner | undefined): TaskDeclaration {
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
          lastError: context.lastError,
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
