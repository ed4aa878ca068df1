import type { ErrorObject } from 'ajv';
import { SluiceError } from '../../engine/index.ts';
import { article, jsonPointer, MISSING, oneOf, UNKNOWN } from '../../schemas/faults.ts';
import type { Fault } from '../../schemas/problem.ts';

/** A reply with thousands of faults helps nobody. */
const FAULTS_MAX = 100;

/** ajv's errors as faults, in the same words as zod's. */
export function ajvFaults(errors: readonly ErrorObject[]): Fault[] {
  return errors.flatMap((error): Fault[] => {
    const { instancePath: path, params } = error;
    switch (error.keyword) {
      case 'required':
        return [{ path: path + jsonPointer([params.missingProperty]), message: MISSING }];
      case 'additionalProperties':
        return [{ path: path + jsonPointer([params.additionalProperty]), message: UNKNOWN }];
      case 'enum':
        return [{ path, message: oneOf(params.allowedValues) }];
      case 'minimum':
      case 'maximum':
      case 'exclusiveMinimum':
      case 'exclusiveMaximum':
        return [{ path, message: `must be ${params.comparison} ${params.limit}` }];
      case 'type':
        return [{ path, message: `must be ${article(String(params.type))}` }];
      default:
        return [{ path, message: error.message ?? 'is invalid' }];
    }
  });
}

const PARTS: Record<string, string> = { body: 'body', querystring: 'query', params: 'path', headers: 'headers' };

/** `invalid-input` with every fault, named by the part of the request that holds them. */
export function invalidInput(part: string, faults: readonly Fault[]): SluiceError {
  const kept = faults.slice(0, FAULTS_MAX);
  const shown = kept.slice(0, 3).map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`);
  const more = faults.length > shown.length ? `, and ${faults.length - shown.length} more` : '';
  return new SluiceError('invalid-input', `The ${PARTS[part] ?? part} is invalid: ${shown.join('; ')}${more}.`, {
    errors: kept,
  });
}
