import { isDeepStrictEqual } from 'node:util';
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { SluiceError } from '../../engine/index.ts';
import { jsonPointer, UNKNOWN } from '../../schemas/faults.ts';
import type { Fault } from '../../schemas/problem.ts';
import { type Caller, sees } from '../guards/caller.ts';
import { invalidInput } from '../problems/faults.ts';
import { validatorCompiler } from '../schemas/schema-compiler.ts';

/** A definition in a body, unchecked, and what else the body says. */
export interface DefinitionBody {
  start: boolean;
  definition: unknown;
  /** Calls what takes the definition; the places of the faults that it throws are those in the body. */
  within: <T>(call: () => Promise<T>) => Promise<T>;
}

type Members = Record<string, unknown>;

/** Reads a definition, or a document of a definitions file with one pipeline, as it was sent. Throws `invalid-input`. */
export function readDefinitionBody(body: unknown): DefinitionBody {
  if (body === undefined || body === null) throw invalidInput('body', [{ path: '', message: 'is required' }]);
  if (!isObject(body)) return { start: true, definition: body, within: (call) => call() };
  const { start = true, ...rest } = body;
  const faults: Fault[] = typeof start === 'boolean' ? [] : [{ path: '/start', message: 'must be a boolean' }];
  const isDocument = 'pipelines' in rest && !('stages' in rest);
  const { definition, limits } = isDocument ? definitionIn(rest, faults) : { definition: rest, limits: null };
  if (faults.length > 0) throw invalidInput('body', faults);
  return { start: start === true, definition, within: (call) => (isDocument ? placed(call, limits) : call()) };
}

function definitionIn({ pipelines, limits, ...others }: Members, faults: Fault[]): { definition: unknown; limits: unknown } {
  for (const name of Object.keys(others)) faults.push({ path: jsonPointer([name]), message: UNKNOWN });
  const one = Array.isArray(pipelines) && pipelines.length === 1 ? pipelines[0] : undefined;
  if (!isObject(one)) {
    faults.push({ path: '/pipelines', message: 'must be a list of one pipeline: send each in a request of its own' });
    return { definition: undefined, limits };
  }
  if (limits === undefined) return { definition: one, limits };
  if (one.limits === undefined || !isObject(one.limits) || !isObject(limits)) return { definition: { ...one, limits }, limits };
  for (const [name, settings] of Object.entries(one.limits)) {
    if (Object.hasOwn(limits, name) && !isDeepStrictEqual(limits[name], settings))
      faults.push({
        path: jsonPointer(['pipelines', 0, 'limits', name]),
        message: `is defined otherwise by ${jsonPointer(['limits', name])}`,
      });
  }
  return { definition: { ...one, limits: { ...one.limits, ...limits } }, limits };
}

async function placed<T>(call: () => Promise<T>, limits: unknown): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof SluiceError) || error.errors === undefined) throw error;
    const isAbove = (path: string): boolean => {
      const [, member, name = ''] = path.split('/');
      return member === 'limits' && limits !== undefined && (!isObject(limits) || name === '' || Object.hasOwn(limits, unescaped(name)));
    };
    const errors = error.errors.map(({ path, message }) => ({ path: isAbove(path) ? path : `/pipelines/0${path}`, message }));
    const { code, details } = error;
    throw new SluiceError(code, errors.map(({ path, message }) => `${path} ${message}`).join('; '), { errors, details });
  }
}

function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Refuses a key for other pipelines, before the answer tells anything about the definition or about an existing pipeline. */
export function refuseOthers(caller: Caller, definition: unknown): void {
  const { id } = (definition ?? {}) as { id?: unknown };
  if (caller.pipelines === null || (typeof id === 'string' && sees(caller, id))) return;
  throw new SluiceError(
    'forbidden',
    `the key "${caller.name}" is for ${caller.pipelines.size} pipelines only, and this is not one of them`,
  );
}

/** Leaves the body unchecked: the host reports faults of form and of meaning together, and checking the form here would hide the latter. */
export const acceptAnyBody: FastifySchemaCompiler<z.ZodType> = (route) =>
  route.httpPart === 'body' ? (body: unknown) => ({ value: body }) : validatorCompiler(route);
