import { z } from 'zod';
import {
  type RegisteredHook,
  type RegisteredPredicate,
  SluiceError,
  type TaskContext,
  type TaskDeclaration,
  type TaskHandler,
  type UseTraits,
} from '../../src/engine/index.ts';
import { faultsOf } from '../../src/schemas/faults.ts';
import type { Fault } from '../../src/schemas/problem.ts';
import type { TaskKind } from '../../src/schemas/task.ts';

/** The source of a built-in task, predicate or hook. `P` is the type of its parameters with all defaults filled in. */
interface Source<Schema extends z.ZodType, Handler> {
  name: string;
  description: string;
  /** Read from a definition's `with`; an example a use stands in its `meta({ examples })`. */
  params: Schema;
  /** Parameters that are texts of a language of their own: `{{` in them is no template. */
  verbatim?: readonly string[];
  /** See {@link TaskDeclaration.costOf}. */
  costOf?: (given: unknown) => number;
  /** Checks what the schema cannot express, such as whether an expression compiles. Returns every fault. */
  check?: (params: z.output<Schema>) => Fault[];
  /** Called once for each use in a definition, and for each item when its parameters hold templates. */
  prepare: (params: z.output<Schema>, traits: UseTraits) => Handler;
}
export type TaskSource<Schema extends z.ZodType> = Source<Schema, (value: unknown, context: TaskContext) => unknown>;
export type PredicateSource<Schema extends z.ZodType> = Source<Schema, RegisteredPredicate>;
export type HookSource<Schema extends z.ZodType> = Source<Schema, RegisteredHook>;

/** Makes the declaration that the registry holds. Its `parseParams` throws `invalid-params` with every fault. */
export function declareTask<Schema extends z.ZodType>(source: TaskSource<Schema>): TaskDeclaration {
  return declare('task', source);
}

export function declarePredicate<Schema extends z.ZodType>(source: PredicateSource<Schema>): TaskDeclaration {
  return declare('predicate', source);
}

export function declareHook<Schema extends z.ZodType>(source: HookSource<Schema>): TaskDeclaration {
  return declare('hook', source);
}

const PLAIN: UseTraits = { hasSecrets: false };

function declare<Schema extends z.ZodType>(kind: TaskKind, source: Source<Schema, TaskHandler>): TaskDeclaration {
  const prepare = (params: unknown, traits: UseTraits = PLAIN): TaskHandler => source.prepare(params as z.output<Schema>, traits);
  const { params: schema } = source;
  const shape = schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : undefined;
  return {
    name: source.name,
    kind,
    description: source.description,
    paramsSchema: z.toJSONSchema(source.params, { io: 'input' }),
    ...(source.verbatim !== undefined && { verbatim: source.verbatim }),
    ...(source.costOf !== undefined && { costOf: source.costOf }),
    parseParams(given) {
      const parsed = source.params.safeParse(given ?? {}, { reportInput: true });
      const faults = parsed.success ? (source.check?.(parsed.data) ?? []) : faultsOf(parsed.error);
      if (!parsed.success || faults.length > 0) throw invalidParams(source.name, faults);
      return parsed.data;
    },
    ...(shape !== undefined && {
      parseMembers(parsed, given, members) {
        const params = { ...(parsed as Record<string, unknown>) };
        const faults: Fault[] = [];
        for (const name of members) {
          const member = shape[name]?.safeParse(given[name], { reportInput: true });
          if (member?.success === false) faults.push(...faultsOf(member.error, [name]));
          params[name] = member?.data;
        }
        if (faults.length === 0) faults.push(...(source.check?.(params as z.output<Schema>) ?? []));
        if (faults.length > 0) throw invalidParams(source.name, faults);
        return params;
      },
    }),
    prepare,
    run: (...args: unknown[]) => prepare((args.at(-1) as { params: unknown }).params)(...args),
  };
}

/** The list has all of them. */
const FAULTS_IN_MESSAGE = 100;

/** The fault of a `with`; paths are JSON pointers inside it. */
export function invalidParams(task: string, errors: Fault[]): SluiceError {
  const list = errors
    .slice(0, FAULTS_IN_MESSAGE)
    .map(({ path, message }) => `${path === '' ? '/' : path} ${message}`)
    .join('; ');
  return new SluiceError('invalid-params', `the parameters of "${task}" do not match its schema: ${list}`, { errors });
}
