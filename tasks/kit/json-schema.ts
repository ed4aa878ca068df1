import { type ErrorObject, type ValidateFunction, Ajv2020 as Validator } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Fault } from '../../src/schemas/problem.ts';

export interface CompileOptions {
  /** Fills in the `default` of missing properties, in the value itself. */
  useDefaults?: boolean;
}

/** A compiled JSON Schema: every fault of a value, none when it fits. */
export type Check = (value: unknown) => Fault[];

/**
 * Compiles a JSON Schema of draft 2020-12. Throws an Error that says what is wrong with the schema: a keyword that doesn't exist, a
 * reference that leads nowhere, a pattern that is none. Nothing is ever fetched.
 */
export function compileSchema(schema: unknown, options: CompileOptions = {}): Check {
  // An instance a schema: what one schema calls itself (`$id`) cannot collide with another's.
  const validator = new Validator({
    allErrors: true,
    allowUnionTypes: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    useDefaults: options.useDefaults === true,
    logger: false,
  });
  // Its types name the function as a member of the module; at run time it is both.
  (formats as unknown as (ajv: Validator) => void)(validator);
  if (typeof schema === 'object' && schema !== null && '$async' in schema) throw new Error('$async is not supported');
  const validate: ValidateFunction = validator.compile(schema as object | boolean);
  return (value) => (validate(value) ? [] : (validate.errors ?? []).map(faultOf));
}

function faultOf(error: ErrorObject): Fault {
  const message = error.keyword === 'type' ? `must be ${[error.params.type].flat().join(' or ')}` : error.message;
  return { path: error.instancePath, message: `${message ?? `breaks "${error.keyword}"`}${detailOf(error)}` };
}

/** What the message leaves out although it is what one looks for. */
function detailOf({ keyword, params }: ErrorObject): string {
  if (keyword === 'additionalProperties') return ` ("${params.additionalProperty}")`;
  if (keyword === 'unevaluatedProperties') return ` ("${params.unevaluatedProperty}")`;
  if (keyword === 'enum') return `: ${params.allowedValues.map((allowed: unknown) => JSON.stringify(allowed)).join(', ')}`;
  if (keyword === 'const') return ` ${JSON.stringify(params.allowedValue)}`;
  return '';
}
