import { z } from 'zod';
import type { Fault } from '../../src/schemas/problem.ts';
import { compileExpression } from './expression.ts';

export const expressionSchema = z.string().min(1).max(65_536);

/** Whether the parameter `expression` can be compiled. */
export function expressionFaults({ expression }: { expression: string }): Fault[] {
  try {
    compileExpression(expression);
    return [];
  } catch (error) {
    return [{ path: '/expression', message: `is no JSONata expression: ${(error as Error).message}` }];
  }
}
