import { weightOf } from '../../src/schemas/value-weight.ts';
import { type Check, compileCheck, type Faults } from './json-schema.ts';

/** Up to this weight of a value every fault of it is looked for. */
const ALL_FAULTS_WEIGHT = 262_144;

/** Compiles a schema, given as JSON, for an evaluator. */
export function prepareSchema(source: string): Check {
  const schema: unknown = JSON.parse(source);
  const first = compileCheck(schema, { firstFaultOnly: true });
  let all: Check | undefined;
  return (value): Faults => {
    const found = first(value);
    if (found.count === 0 || weightOf(value, ALL_FAULTS_WEIGHT) > ALL_FAULTS_WEIGHT) return found;
    all ??= compileCheck(schema);
    return all(value);
  };
}
