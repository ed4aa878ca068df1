import compile from 'jsonata';
import { EVALUATION_LIMITS } from './evaluation.ts';
import { describeJsonataError } from './jsonata-error.ts';
import { nativeNames, nativesNamed } from './jsonata-natives.ts';
import { rewriteExpression } from './jsonata-rewrite.ts';
import { plainData } from './plain-data.ts';

/** Compiles an expression for an evaluator, over functions whose time and memory are bounded. Its result is plain data. */
export function prepareExpression(
  source: string,
  timeoutMs: number,
): (input: unknown, bindings: Record<string, unknown> | undefined) => Promise<unknown> {
  const { stack, sequence } = EVALUATION_LIMITS;
  const compiled = compile(source, { timeout: timeoutMs, stack, sequence });
  const used = rewriteExpression(compiled.ast());
  const names = [...(used.has('eval') ? nativeNames : used)];
  return async (input, bindings) => {
    try {
      return plainData(await compiled.evaluate(input, { ...nativesNamed(names), ...bindings }));
    } catch (error) {
      throw new Error(describeJsonataError(error));
    }
  };
}
