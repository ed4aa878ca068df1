import { z } from 'zod';
import { invalidParams } from '../../tasks/kit/declaration.ts';
import { compileSchema } from '../../tasks/kit/json-schema.ts';
import type { TaskDeclaration } from '../engine/index.ts';
import { jsonPointer } from '../schemas/faults.ts';

export type UserParams = Pick<TaskDeclaration, 'paramsSchema' | 'parseParams'>;

/**
 * How a user's task checks its `with`: by its zod schema (or another library's that follows Standard Schema), by its
 * JSON Schema, or, when it declares none, by refusing every parameter. Throws an Error when it is none of these.
 */
export function readUserParams(task: string, params: unknown): UserParams {
  if (params === undefined) return noParams(task);
  if (isStandardSchema(params)) return standardParams(task, params);
  if (typeof params === 'object' && params !== null && !Array.isArray(params)) return jsonSchemaParams(task, params as JsonObject);
  throw new Error('must be a zod schema or a JSON Schema');
}

type JsonObject = Record<string, unknown>;

function noParams(task: string): UserParams {
  return {
    paramsSchema: null,
    parseParams(given) {
      const names = Object.keys(given ?? {});
      if (names.length === 0) return undefined;
      throw invalidParams(
        task,
        names.map((name) => ({ path: jsonPointer([name]), message: 'is an unknown field' })),
      );
    },
  };
}

/** The part of https://standardschema.dev that is used. zod follows it, whichever copy of it the user's file imports. */
interface StandardSchema {
  '~standard': {
    validate(value: unknown): StandardResult | Promise<StandardResult>;
    jsonSchema?: { input(options: { target: string }): JsonObject };
  };
}
type StandardResult =
  | { value: unknown; issues?: undefined }
  | { issues: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined }[] };

function isStandardSchema(params: unknown): params is StandardSchema {
  const holder = (params as Partial<StandardSchema> | null)?.['~standard'];
  return typeof holder === 'object' && holder !== null && typeof holder.validate === 'function';
}

function standardParams(task: string, schema: StandardSchema): UserParams {
  return {
    paramsSchema: describeStandard(schema),
    parseParams(given) {
      const result = schema['~standard'].validate(given ?? {});
      if (result instanceof Promise)
        throw invalidParams(task, [{ path: '', message: 'cannot be checked: the schema of this task is asynchronous' }]);
      if (result.issues === undefined) return result.value;
      const faults = result.issues.map(({ message, path = [] }) => ({
        path: jsonPointer(path.map((part) => (typeof part === 'object' ? part.key : part))),
        message,
      }));
      throw invalidParams(task, faults);
    },
  };
}

/** Only shown, never checked against: a schema that cannot be written as JSON Schema (a transform, an older zod) is shown as `{}`. */
function describeStandard(schema: StandardSchema): JsonObject {
  try {
    const own = schema['~standard'].jsonSchema?.input({ target: 'draft-2020-12' });
    if (own !== undefined) return own;
  } catch {
    // A schema that zod cannot convert strictly is converted with gaps.
  }
  try {
    return z.toJSONSchema(schema as unknown as z.ZodType, { io: 'input', unrepresentable: 'any' });
  } catch {
    return {};
  }
}

function jsonSchemaParams(task: string, schema: JsonObject): UserParams {
  let check: ReturnType<typeof compileSchema>;
  try {
    check = compileSchema(schema, { useDefaults: true });
  } catch (error) {
    throw new Error(`is not a usable JSON Schema: ${(error as Error).message}`);
  }
  return {
    paramsSchema: schema,
    parseParams(given) {
      // Defaults are filled in where they are missing, and the definition must keep showing what was written.
      const params = structuredClone(given ?? {});
      const faults = check(params);
      if (faults.length > 0) throw invalidParams(task, faults);
      return params;
    },
  };
}
