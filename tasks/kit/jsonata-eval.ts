import compile from 'jsonata';
import { describeJsonataError } from './jsonata-error.ts';
import type { Focus } from './jsonata-focus.ts';
import { rewriteExpression } from './jsonata-rewrite.ts';

const TEXT_MAX = 65_536;

/**
 * `$eval`, over the same bounded functions as every other expression. It answers what JSONata takes for a call in tail position, and
 * goes on with: a lambda without parameters whose body is the expression.
 */
export function evaluateText(this: Focus, expr: string | undefined, focus: unknown): unknown {
  if (expr === undefined) return undefined;
  if (expr.length > TEXT_MAX) throw { message: `the expression is longer than ${TEXT_MAX} characters` };
  let ast: object;
  try {
    ast = compile(expr).ast();
  } catch (error) {
    throw { code: 'D3120', value: describeJsonataError(error) };
  }
  rewriteExpression(ast);
  const body = { procedure: { type: 'lambda', arguments: [], body: ast }, arguments: [] };
  const input = focus === undefined ? this.input : wrapped(this, focus);
  return { _jsonata_lambda: true, thunk: true, input, environment: this.environment, arguments: [], body };
}

/** An array that is the whole input is one value, not many. */
function wrapped(focus: Focus, input: unknown): unknown {
  if (!Array.isArray(input) || (input as { sequence?: unknown }).sequence === true) return input;
  return Object.assign(focus.createSequence(input), { outerWrapper: true });
}
