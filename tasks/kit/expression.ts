import compile from 'jsonata';
import type { Expression, ExpressionLanguage } from '../../src/engine/ports.ts';
import { plainData } from './plain-data.ts';

/** Bounds of one evaluation beside its time, so that an expression cannot eat the process: nested calls and members of a sequence. */
const STACK_MAX = 2000;
const SEQUENCE_MAX = 1_000_000;
/** How long the expressions of templates, limiters and predicates may take, which have no parameter for it. */
const TIMEOUT_SECONDS = 1;

/**
 * Compiles a JSONata expression; its result is plain data, `undefined` when it finds nothing. A regular expression in it is not
 * stopped by the time limit. Throws, and evaluates to a rejection with, an Error that says what is wrong and where.
 */
export function compileExpression(source: string, timeoutSeconds: number = TIMEOUT_SECONDS): Expression {
  let compiled: ReturnType<typeof compile>;
  try {
    compiled = compile(source, { timeout: timeoutSeconds * 1000, stack: STACK_MAX, sequence: SEQUENCE_MAX });
  } catch (error) {
    throw new Error(describe(error));
  }
  return (input, bindings) =>
    oneAtATime(async () => {
      try {
        return plainData(await compiled.evaluate(input, bindings));
      } catch (error) {
        throw new Error(describe(error));
      }
    });
}

/** JSONata, as the engine's definitions use it: in templates and limiters. */
export const jsonataLanguage: ExpressionLanguage = { compile: (source) => compileExpression(source) };

let last: Promise<unknown> = Promise.resolve();

/**
 * JSONata counts the time from its start, and it runs in microtasks: evaluations that ran interleaved would use up each other's time,
 * and thousands of workers would run into a limit that none of them broke. As it never waits for anything, nothing is lost by a queue.
 */
function oneAtATime<T>(evaluate: () => Promise<T>): Promise<T> {
  const result = last.then(evaluate);
  last = result.catch(() => undefined);
  return result;
}

/** JSONata throws objects that aren't Errors, some without a message. */
function describe(error: unknown): string {
  const { code, message, position } = error as { code?: unknown; message?: unknown; position?: unknown };
  const text = typeof message === 'string' ? message : String(code ?? error);
  const where = typeof position === 'number' ? ` at character ${position}` : '';
  return `${text}${where}${typeof code === 'string' ? ` (${code})` : ''}`;
}
