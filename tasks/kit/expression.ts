import { createRequire } from 'node:module';
import type compile from 'jsonata';
import type { TaskContext } from '../../src/engine/index.ts';
import type { ExpressionLanguage } from '../../src/engine/ports.ts';
import type { Work } from './evaluation.ts';
import { createEvaluatorPool, EvaluatorUnavailableError, type Waiter } from './evaluators.ts';
import { type Names, namesIn, namesOfPath, rootsIn, rootsOfPath } from './expression-names.ts';
import { describeJsonataError } from './jsonata-error.ts';
import { plainData } from './plain-data.ts';
import { followPath, plainPath, UNCERTAIN } from './plain-path.ts';

/** How long the expressions of templates, limiters and predicates may take, which have no parameter for it. */
const TIMEOUT_SECONDS = 1;
/** Size of the cache of compiled expressions; a definition is checked several times before it runs. */
const KNOWN_MAX = 1000;
const PERCENTS_MAX = 200;

/** Shared by all expressions and schemas of this process. */
export const evaluators = createEvaluatorPool();

/** See `Expression` of the engine's ports. The attempt of the context, if any, waits while the evaluation does. */
type HeldExpression = (input: unknown, bindings?: Record<string, unknown>, context?: TaskContext) => unknown;

/** The names that an expression names. */
interface Looked {
  members: Names;
  roots: string[];
}

const known = new Map<string, Looked | Error>();

/**
 * Compiles a JSONata expression; its result is plain data, `undefined` when it finds nothing. A path of names is followed here and
 * at once; anything else is evaluated in a process of its own, where its memory and its time are limited, and comes as a promise.
 * Throws, and evaluates to a rejection with, an Error that says what is wrong and where.
 */
export function compileExpression(source: string, timeoutSeconds: number = TIMEOUT_SECONDS): HeldExpression {
  look(source);
  const path = plainPath(source);
  const work: Work = { kind: 'expression', source, timeoutMs: timeoutSeconds * 1000 };
  return (input, bindings, context) => {
    const found = path === null ? UNCERTAIN : followPath(path, input, bindings);
    return found === UNCERTAIN ? evaluators.run(work, { input, bindings }, waiterOf(context)) : plainData(found);
  };
}

/** JSONata, as the engine's definitions use it: in templates and limiters. */
export const jsonataLanguage: ExpressionLanguage = {
  compile: (source) => compileExpression(source),
  membersNamed: (source, name) => look(source).members[name] ?? [],
  rootsNamed: (source) => look(source).roots,
};

/** The attempt behind a task's context, which can wait: none for a context of a test, or of a predicate. */
export function waiterOf(context: TaskContext | undefined): Waiter | undefined {
  const { waits } = (context ?? {}) as Partial<Waiter>;
  return waits === undefined ? undefined : (context as TaskContext & Waiter);
}

/** Whether a failure is the expression's or the input's own, so that it would come again. */
export function isForGood(error: unknown): boolean {
  return !(error instanceof EvaluatorUnavailableError);
}

/** Throws if the text is not a valid expression. */
function look(source: string): Looked {
  const found = known.get(source) ?? lookAnew(source);
  if (found instanceof Error) throw found;
  return found;
}

/** Loaded for the first expression that is no path: many definitions have none. */
let jsonata: typeof compile | undefined;
const require = createRequire(import.meta.url);

function lookAnew(source: string): Looked | Error {
  const path = plainPath(source);
  if (path !== null) return { members: namesOfPath(path), roots: rootsOfPath(path) };
  // Each looks for what it stands for through the whole path that it is in.
  if (source.split('%').length > PERCENTS_MAX) return new Error(`contains "%" more than ${PERCENTS_MAX} times`);
  let found: Looked | Error;
  try {
    jsonata ??= require('jsonata') as typeof compile;
    const ast = jsonata(source).ast();
    found = { members: namesIn(ast), roots: rootsIn(ast) };
  } catch (error) {
    found = new Error(describeJsonataError(error));
  }
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(source, found);
  return found;
}
