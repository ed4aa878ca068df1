import type { ErrorObject, ValidateFunction } from 'ajv';
import type { Fault } from '../../src/schemas/problem.ts';
import { type Dialect, dialectOf } from './schema-dialects.ts';
import { addFormats } from './schema-formats.ts';
import { patternEngine } from './schema-patterns.ts';
import { uniqueItems } from './unique-items.ts';

export interface CompileOptions {
  /** Fills in the `default` of missing properties, in the value itself. */
  useDefaults?: boolean;
  /** Stops at the first fault: the others of a large value would take as much memory as the value many times. */
  firstFaultOnly?: boolean;
}

/** The first faults of a value, and their total number. */
export interface Faults {
  faults: Fault[];
  count: number;
}

/** A compiled JSON Schema. */
export type Check = (value: unknown) => Faults;

/** As {@link compileCheck}; gives the faults alone. */
export function compileSchema(schema: unknown, options: CompileOptions = {}): (value: unknown) => Fault[] {
  const check = compileCheck(schema, options);
  return (value) => check(value).faults;
}

const FAULTS_TOLD = 500;
const SCHEMA_FAULTS_TOLD = 20;
const DETAIL_MAX = 1000;
const NONE: Faults = { faults: [], count: 0 };

type Looker = Pick<InstanceType<Dialect['Validator']>, 'validateSchema' | 'errors' | 'errorsText' | 'addMetaSchema'>;

/** They look at schemas only: what the meta-schemas of a dialect say is compiled once. */
const lookers = new Map<Dialect, Looker>();

function lookerOf(dialect: Dialect): Looker {
  const found = lookers.get(dialect) ?? new dialect.Validator({ allErrors: true, logger: false });
  if (!lookers.has(dialect)) for (const schema of dialect.metaSchemas) found.addMetaSchema(schema);
  lookers.set(dialect, found);
  return found;
}

/**
 * Compiles a JSON Schema, of draft 2020-12 unless its `$schema` names another. Throws an Error that says what is wrong with the schema: a keyword that doesn't exist, a
 * reference that leads nowhere, a pattern that is none. Nothing is ever fetched.
 */
export function compileCheck(schema: unknown, options: CompileOptions = {}): Check {
  if (typeof schema === 'object' && schema !== null && '$async' in schema) throw new Error('$async is not supported');
  const dialect = dialectOf(schema);
  // Its address may be written in more than one way, of which the validator knows one.
  const named = typeof schema === 'object' && schema !== null && '$schema' in schema ? { ...schema, $schema: dialect.id } : schema;
  const meta = lookerOf(dialect);
  if (meta.validateSchema(named as object | boolean) === false)
    throw new Error(`schema is invalid: ${meta.errorsText(meta.errors?.slice(0, SCHEMA_FAULTS_TOLD))}`);
  // An instance a schema: what one schema calls itself (`$id`) cannot collide with another's.
  const validator = new dialect.Validator({
    allErrors: options.firstFaultOnly !== true,
    validateSchema: false,
    allowUnionTypes: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    useDefaults: options.useDefaults === true,
    code: { regExp: patternEngine },
    logger: false,
  });
  for (const schema of dialect.metaSchemas) validator.addMetaSchema(schema);
  validator.removeKeyword('uniqueItems');
  validator.addKeyword(uniqueItems);
  addFormats(validator);
  const validate: ValidateFunction = validator.compile(named as object | boolean);
  return (value) => {
    if (validate(value)) return NONE;
    const errors = validate.errors ?? [];
    // They are kept until the next value otherwise.
    validate.errors = null;
    return { faults: errors.slice(0, FAULTS_TOLD).map(faultOf), count: errors.length };
  };
}

function faultOf(error: ErrorObject): Fault {
  const message = error.keyword === 'type' ? `must be ${[error.params.type].flat().join(' or ')}` : error.message;
  return { path: error.instancePath, message: `${message ?? `breaks "${error.keyword}"`}${detailOf(error)}` };
}

/** The detail that the message of ajv leaves out. */
function detailOf({ keyword, params }: ErrorObject): string {
  if (keyword === 'additionalProperties') return ` ("${params.additionalProperty}")`;
  if (keyword === 'unevaluatedProperties') return ` ("${params.unevaluatedProperty}")`;
  if (keyword === 'enum') return `: ${listed(params.allowedValues)}`;
  if (keyword === 'const') return ` ${listed([params.allowedValue])}`;
  return '';
}

function listed(values: readonly unknown[]): string {
  let text = '';
  for (const [index, value] of values.entries()) {
    text += `${index === 0 ? '' : ', '}${JSON.stringify(value)}`;
    if (text.length > DETAIL_MAX) return `${text.slice(0, DETAIL_MAX)}…`;
  }
  return text;
}
