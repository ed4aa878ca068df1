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

/** The specification of a built-in task, predicate or hook. `P` is the type of its parameters with all defaults filled in. */
interface Spec<Schema extends z.ZodType, Handler> {
  name: string;
  description: string;
  /** Read from a definition's `with`; an example a use stands in its `meta({ examples })`. */
  params: Schema;
  /** Parameters that are texts of a language of their own: `{{` in them is no template. */
  verbatim?: readonly string[];
  /** See {@link TaskDeclaration.costOf}. */
  costOf?: (given: unknown) => number;
  /** See {@link TaskDeclaration.lint}. */
  lint?: (given: unknown) => Fault[];
  /** See {@link TaskDeclaration.prefersHands}. */
  prefersHands?: boolean;
  /** Checks what the schema cannot express, such as whether an expression compiles. Returns every fault. */
  check?: (params: z.output<Schema>) => Fault[];
  /** Called once for each use in a definition, and for each item when its parameters hold templates. */
  prepare: (params: z.output<Schema>, traits: UseTraits) => Handler;
}
export type TaskSpec<Schema extends z.ZodType> = Spec<Schema, (value: unknown, context: TaskContext) => unknown>;
export type PredicateSpec<Schema extends z.ZodType> = Spec<Schema, RegisteredPredicate>;
export type HookSpec<Schema extends z.ZodType> = Spec<Schema, RegisteredHook>;

/** Makes the declaration that the registry holds. Its `parseParams` throws `invalid-params` with every fault. */
export function declareTask<Schema extends z.ZodType>(spec: TaskSpec<Schema>): TaskDeclaration {
  return declare('task', spec);
}

export function declarePredicate<Schema extends z.ZodType>(spec: PredicateSpec<Schema>): TaskDeclaration {
  return declare('predicate', spec);
}

export function declareHook<Schema extends z.ZodType>(spec: HookSpec<Schema>): TaskDeclaration {
  return declare('hook', spec);
}

const PLAIN: UseTraits = { hasSecrets: false };

function declare<Schema extends z.ZodType>(kind: TaskKind, spec: Spec<Schema, TaskHandler>): TaskDeclaration {
  const prepare = (params: unknown, traits: UseTraits = PLAIN): TaskHandler => spec.prepare(params as z.output<Schema>, traits);
  const { params: schema } = spec;
  const shape = schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : undefined;
  return {
    name: spec.name,
    kind,
    description: spec.description,
    paramsSchema: z.toJSONSchema(spec.params, { io: 'input' }),
    ...(spec.verbatim !== undefined && { verbatim: spec.verbatim }),
    ...(spec.costOf !== undefined && { costOf: spec.costOf }),
    ...(spec.lint !== undefined && { lint: spec.lint }),
    ...(spec.prefersHands !== undefined && { prefersHands: spec.prefersHands }),
    parseParams(given) {
      const parsed = spec.params.safeParse(given ?? {}, { reportInput: true });
      const faults = parsed.success ? (spec.check?.(parsed.data) ?? []) : faultsOf(parsed.error);
      if (!parsed.success || faults.length > 0) throw invalidParams(spec.name, faults);
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
        if (faults.length === 0) faults.push(...(spec.check?.(params as z.output<Schema>) ?? []));
        if (faults.length > 0) throw invalidParams(spec.name, faults);
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
