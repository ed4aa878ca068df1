/**
 * JSONata's meaning of a path of names, `value.a.b` or `$metadata.customer`, in code of our own: most expressions are one, and
 * they need no evaluator. `null` when the expression is anything else.
 *
 * The rules, from the documentation of JSONata ("Simple queries", "Sequences"): a step into an array is taken for each of its
 * members; what several members give becomes one flat sequence; a sequence of one is that one, and an empty one nothing.
 */
export function plainPath(source: string): PlainPath | null {
  const match = /^\s*(?:[$]([A-Za-z_]\w*)\s*[.]\s*)?([A-Za-z_]\w*(?:\s*[.]\s*[A-Za-z_]\w*)*)\s*$/.exec(source);
  if (match === null) return null;
  const steps = (match[2] as string).split('.').map((step) => step.trim());
  if (steps.some((step) => WORDS.has(step))) return null;
  return { variable: match[1], steps };
}

export interface PlainPath {
  /** The binding that it begins with. */
  variable: string | undefined;
  steps: readonly string[];
}

/** The value at the path, `undefined` for none; {@link UNCERTAIN} if only JSONata can tell. */
export function followPath({ variable, steps }: PlainPath, input: unknown, bindings: Record<string, unknown> | undefined): unknown {
  let context: unknown = input;
  if (variable !== undefined) {
    // A function of JSONata, or nothing.
    if (bindings === undefined || !Object.hasOwn(bindings, variable)) return UNCERTAIN;
    context = bindings[variable];
    if (Array.isArray(context)) return UNCERTAIN;
  }
  const scalar = scalarAt(steps, context);
  if (scalar !== undefined) return scalar;
  let found: unknown[] = Array.isArray(context) ? [context] : context === undefined ? [] : [context];
  for (const [index, step] of steps.entries()) {
    const results: unknown[] = [];
    for (const member of found) {
      const result = memberOf(member, step);
      if (result === UNCERTAIN) return UNCERTAIN;
      if (result !== undefined) results.push(result instanceof Found ? result.only() : result);
    }
    const [only] = results;
    if (index === steps.length - 1 && results.length === 1 && Array.isArray(only)) return only;
    found = [];
    for (const result of results) {
      if (!Array.isArray(result)) found.push(result);
      else for (const member of result) found.push(member);
    }
    if (found.length === 0) return undefined;
  }
  return found.length === 1 ? found[0] : found;
}

/** Most paths lead from object to object to a plain value: those without lists on the way. */
function scalarAt(steps: readonly string[], context: unknown): string | number | boolean | undefined {
  let at: unknown = context;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, step)) return undefined;
    if ('_jsonata_lambda' in at || '_jsonata_function' in at) return undefined;
    at = (at as Record<string, unknown>)[step];
  }
  return typeof at === 'string' || typeof at === 'number' || typeof at === 'boolean' ? at : undefined;
}

export const UNCERTAIN = Symbol('only the expression can tell');

/** Words that mean something else where a name may stand. */
const WORDS = new Set(['and', 'or', 'in', 'true', 'false', 'null']);

/** Collects the values found in the members of an array. */
class Found {
  readonly list: unknown[] = [];
  only(): unknown {
    return this.list.length === 1 ? this.list[0] : this.list;
  }
}

function memberOf(from: unknown, name: string): unknown {
  if (Array.isArray(from)) {
    const found = new Found();
    for (const member of from) {
      const result = memberOf(member, name);
      if (result === UNCERTAIN) return UNCERTAIN;
      if (result instanceof Found) for (const each of result.list) found.list.push(each);
      else if (Array.isArray(result)) for (const each of result) found.list.push(each);
      else if (result !== undefined) found.list.push(result);
    }
    return found.list.length === 0 ? undefined : found;
  }
  if (typeof from === 'function') return UNCERTAIN;
  if (typeof from !== 'object' || from === null || !Object.hasOwn(from, name)) return undefined;
  // An object that JSONata takes for one of its functions.
  if ('_jsonata_lambda' in from || '_jsonata_function' in from) return UNCERTAIN;
  return (from as Record<string, unknown>)[name];
}
