import compile from 'jsonata';
import type { Expression, ExpressionLanguage } from '../../src/engine/ports.ts';
import type { Work } from './evaluation.ts';
import { createEvaluatorPool, EvaluatorUnavailableError } from './evaluators.ts';
import { describeJsonataError } from './jsonata-error.ts';
import { plainData } from './plain-data.ts';
import { followPath, plainPath, UNCERTAIN } from './plain-path.ts';

/** How long the expressions of templates, limiters and predicates may take, which have no parameter for it. */
const TIMEOUT_SECONDS = 1;
/** Of texts that were found to be expressions; a definition is looked at several times until it runs. */
const CHECKED_MAX = 1000;

/** Shared by all expressions and schemas of this process. */
export const evaluators = createEvaluatorPool();

const checked = new Set<string>();

/**
 * Compiles a JSONata expression; its result is plain data, `undefined` when it finds nothing. A path of names is followed here and
 * at once; anything else is evaluated in a process of its own, where its memory and its time are limited, and comes as a promise.
 * Throws, and evaluates to a rejection with, an Error that says what is wrong and where.
 */
export function compileExpression(source: string, timeoutSeconds: number = TIMEOUT_SECONDS): Expression {
  checkExpression(source);
  const path = plainPath(source);
  const work: Work = { kind: 'expression', source, timeoutMs: timeoutSeconds * 1000 };
  return (input, bindings) => {
    const found = path === null ? UNCERTAIN : followPath(path, input, bindings);
    return found === UNCERTAIN ? evaluators.run(work, { input, bindings }) : plainData(found);
  };
}

/** JSONata, as the engine's definitions use it: in templates and limiters. */
export const jsonataLanguage: ExpressionLanguage = { compile: (source) => compileExpression(source) };

/** Whether a failure is the expression's or the input's own, so that it would come again. */
export function isForGood(error: unknown): boolean {
  return !(error instanceof EvaluatorUnavailableError);
}

function checkExpression(source: string): void {
  if (checked.has(source)) return;
  try {
    compile(source);
  } catch (error) {
    throw new Error(describeJsonataError(error));
  }
  if (checked.size >= CHECKED_MAX) checked.clear();
  checked.add(source);
}
