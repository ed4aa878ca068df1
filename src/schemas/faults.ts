import type { z } from 'zod';
import type { Fault } from './problem.ts';

/** A JSON pointer (RFC 6901) to a place in an input. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The words for what is wrong, the same from zod and from ajv. */
export const MISSING = 'is required';
export const UNKNOWN = 'is an unknown field';
export const oneOf = (values: readonly unknown[]): string => `must be one of ${values.map((value) => JSON.stringify(value)).join(', ')}`;

/** Every fault that zod found, with a pointer to its place. Parse with `{ reportInput: true }`, to tell a missing field from a wrong one. */
export function faultsOf(error: z.ZodError, prefix: readonly PropertyKey[] = []): Fault[] {
  return zodFaults(error.issues, prefix);
}

type Issue = z.core.$ZodIssue;

/** zod's issues as faults: one a place, unions resolved to the branch that was meant. */
export function zodFaults(issues: readonly Issue[], base: readonly PropertyKey[] = []): Fault[] {
  return issues.flatMap((issue): Fault[] => {
    const path = [...base, ...issue.path];
    const at = jsonPointer(path);
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({ path: jsonPointer([...path, key]), message: UNKNOWN }));
      case 'invalid_type':
        return [{ path: at, message: isAbsent(issue, path) ? MISSING : `must be ${article(issue.expected)}` }];
      case 'invalid_value':
        return [{ path: at, message: isAbsent(issue, path) ? MISSING : oneOf(issue.values) }];
      case 'invalid_union':
        return unionFaults(issue, path);
      case 'too_small':
        return [{ path: at, message: bound(issue.origin, issue.inclusive === false ? '>' : '>=', 'at least', issue.minimum) }];
      case 'too_big':
        return [{ path: at, message: bound(issue.origin, issue.inclusive === false ? '<' : '<=', 'at most', issue.maximum) }];
      case 'invalid_key':
        return zodFaults(issue.issues, path);
      default:
        return [{ path: at, message: issue.message }];
    }
  });
}

/** zod reports the input only where there is one; a body that was not sent is null to the validator. */
const isAbsent = (issue: Issue, path: readonly PropertyKey[]): boolean =>
  issue.input === undefined || (issue.input === null && path.length === 0);

function unionFaults(issue: Extract<Issue, { code: 'invalid_union' }>, path: readonly PropertyKey[]): Fault[] {
  if (isAbsent(issue, path)) return [{ path: jsonPointer(path), message: MISSING }];
  // A branch that fails at its root is another kind of value than the caller wrote; one that fails deeper was meant.
  const meant = issue.errors.find(
    (branch) => branch.length > 0 && branch.every((nested) => !(nested.code === 'invalid_type' && nested.path.length === 0)),
  );
  if (meant) return zodFaults(meant, path);
  const kinds = issue.errors.flat().flatMap((nested) => (nested.code === 'invalid_type' ? [article(nested.expected)] : []));
  return [{ path: jsonPointer(path), message: kinds.length > 0 ? `must be ${[...new Set(kinds)].join(' or ')}` : issue.message }];
}

function bound(origin: string, sign: string, words: string, limit: number | bigint): string {
  if (origin === 'string') return `must have ${words} ${limit} characters`;
  if (origin === 'array' || origin === 'set') return `must have ${words} ${limit} entries`;
  return `must be ${sign} ${limit}`;
}

export function article(type: string): string {
  const name = type === 'int' ? 'integer' : type === 'record' ? 'object' : type;
  if (name === 'null') return name;
  return /^[aeio]/.test(name) ? `an ${name}` : `a ${name}`;
}
