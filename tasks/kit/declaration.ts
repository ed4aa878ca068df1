import { z } from 'zod';
import { SluiceError, type TaskContext, type TaskDeclaration, type TaskHandler } from '../../src/engine/index.ts';
import { faultsOf } from '../../src/schemas/faults.ts';
import type { Fault } from '../../src/schemas/problem.ts';

/** What a built-in task says of itself. `P` is what its handler finds in its parameters, with every default filled in. */
export interface TaskSource<Schema extends z.ZodType> {
  name: string;
  description: string;
  /** Read from a definition's `with`; an example a use stands in its `meta({ examples })`. */
  params: Schema;
  /** What the schema cannot say, such as whether an expression can be compiled; every fault, none when all is well. */
  check?: (params: z.output<Schema>) => Fault[];
  /** Called once for each use in a definition; what it compiles serves every item. */
  prepare: (params: z.output<Schema>) => (value: unknown, context: TaskContext) => unknown;
}

/** Makes the declaration that the registry holds. Its `parseParams` throws `invalid-params` with every fault. */
export function declareTask<Schema extends z.ZodType>(source: TaskSource<Schema>): TaskDeclaration {
  const prepare = (params: unknown): TaskHandler => source.prepare(params as z.output<Schema>);
  return {
    name: source.name,
    kind: 'task',
    description: source.description,
    paramsSchema: z.toJSONSchema(source.params, { io: 'input' }),
    parseParams(given) {
      const parsed = source.params.safeParse(given ?? {}, { reportInput: true });
      const faults = parsed.success ? (source.check?.(parsed.data) ?? []) : faultsOf(parsed.error);
      if (!parsed.success || faults.length > 0) throw invalidParams(source.name, faults);
      return parsed.data;
    },
    prepare,
    run: (value: unknown, context: TaskContext) => prepare(context.params)(value, context),
  };
}

/** The fault of a `with`; paths are JSON pointers inside it. */
export function invalidParams(task: string, errors: Fault[]): SluiceError {
  const list = errors.map(({ path, message }) => `${path === '' ? '/' : path} ${message}`).join('; ');
  return new SluiceError('invalid-params', `the parameters of "${task}" do not fit: ${list}`, { errors });
}
