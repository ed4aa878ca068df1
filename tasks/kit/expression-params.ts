import { z } from 'zod';
import type { Fault } from '../../src/schemas/problem.ts';
import { compileExpression } from './expression.ts';

export const expressionSchema = z.string().min(1).max(65_536);

/** About how long it takes to parse, see `TaskDeclaration.costOf`. */
export function expressionCost(given: unknown): number {
  const expression = (given as { expression?: unknown } | null | undefined)?.expression;
  if (typeof expression !== 'string') return 0;
  // Each "%" looks for what it stands for through the whole path that it is in.
  const percents = expression.split('%').length - 1;
  return 1.5 + expression.length / 64 + (percents * expression.length) / 1000;
}

/** Whether the parameter `expression` can be compiled. */
export function expressionFaults({ expression }: { expression: string }): Fault[] {
  try {
    compileExpression(expression);
    return [];
  } catch (error) {
    return [{ path: '/expression', message: `is not a valid JSONata expression: ${(error as Error).message}` }];
  }
}
