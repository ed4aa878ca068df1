import { jsonPointer } from '../../schemas/faults.ts';
import type { Metadata } from '../../schemas/item.ts';
import type { Fault } from '../../schemas/problem.ts';
import type { Clock, Expression, ExpressionLanguage, Secrets } from '../ports.ts';
import { createRendering, type Rendering, TemplateError } from './rendering.ts';
import { EXPRESSION_LENGTH_MAX, endsOf, textCost } from './template-text.ts';

/*
 * `{{ … }}` in the parameters of a definition: an expression over the item, evaluated for each attempt.
 *
 *     "https://api.example/{{ value.id }}?key={{ secrets.API }}"    a text, with each expression replaced by its result
 *     "{{ value.tags }}"                                            the result itself, with its type
 */

/** The variables that an expression in a template sees. */
export interface TemplateScope {
  value: unknown;
  metadata: Metadata;
  itemId: string;
  sequenceId: number;
  /** The error of the item's last attempt that failed, in the parameters of a task. */
  lastError?: unknown;
  /** The item's error, in an `onFailure` hook. */
  error?: unknown;
}

/** Parameters that contain templates, compiled once. */
export interface Templates {
  /** JSON Pointers of the strings that contain templates. */
  readonly paths: readonly string[];
  /** The top-level members of the parameters in which those strings are. */
  readonly members: readonly string[];
  /** Names of the secrets that the templates use. */
  readonly secrets: readonly string[];
  /** The parameters for one item, or a promise of them. Throws or rejects with {@link TemplateError}. */
  render(scope: TemplateScope): unknown;
}

export interface TemplateEnvironment {
  expressions: ExpressionLanguage | undefined;
  secrets: Secrets;
  clock: Clock;
}

/** Evaluates one template, or a node that contains some; returns the result or a promise of it. */
type Render = (scope: TemplateScope, rendering: Rendering) => unknown;

/** The names that every template sees; `error` in hooks. */
const SEEN = ['value', 'metadata', 'itemId', 'sequenceId', 'lastError', 'secrets', 'error'];

/** Checking stops after this many faults, or this many characters of text that is not a valid expression. */
const FAULTS_MAX = 100;
const WRONG_CHARACTERS_MAX = 65_536;
/** Estimated cost of visiting a member of the parameters, in tenths of a millisecond. */
const NODE_COST = 0.02;

/** About how long {@link compileTemplates} takes, in tenths of a millisecond; any number above `most` when it exceeds that. */
export function templatesCost(given: unknown, verbatim: readonly string[], most: number): number {
  if (typeof given === 'string') return textCost(given, most);
  if (typeof given !== 'object' || given === null) return 0;
  let cost = 0;
  for (const key of Object.keys(given)) {
    if (cost > most) break;
    if (!verbatim.includes(key)) cost += NODE_COST + templatesCost((given as Record<string, unknown>)[key], [], most - cost);
  }
  return cost;
}

/**
 * Compiles the templates in `given`, except in the members named in `verbatim`; `templates` is null when there are none. Reports every
 * fault, up to {@link FAULTS_MAX}: an invalid expression, a secret that is not set and, unless the definition `isStored`, a name that no template sees.
 */
export function compileTemplates(
  given: unknown,
  verbatim: readonly string[],
  environment: TemplateEnvironment,
  isStored = true,
): { templates: Templates | null; faults: Fault[] } {
  const faults: Fault[] = [];
  const paths: string[] = [];
  const secrets = new Set<string>();
  let wrongCharacters = 0;
  const render = compileNode(given, []);
  const members = Object.keys(Object(given)).filter((key) => paths.some((path) => isBelow(path, jsonPointer([key]))));
  if (render === null) return { templates: null, faults };
  const renderItem = (scope: TemplateScope): unknown => render(scope, createRendering(environment.clock));
  return { templates: { paths, members, secrets: [...secrets].sort(), render: renderItem }, faults };

  /** Compiles a node of the parameters. null: it contains no template, so it is used as it is. */
  function compileNode(node: unknown, path: (string | number)[]): Render | null {
    if (typeof node === 'string') return node.includes('{{') ? compileText(node, jsonPointer(path)) : null;
    if (typeof node !== 'object' || node === null) return null;
    const parts: [key: string, render: Render][] = [];
    for (const [key, member] of Object.entries(node)) {
      const part = path.length === 0 && verbatim.includes(key) ? null : compileNode(member, [...path, key]);
      if (part !== null) parts.push([key, part]);
    }
    if (parts.length === 0) return null;
    return (scope, rendering) => {
      const made = (Array.isArray(node) ? [...node] : { ...node }) as Record<string, unknown>;
      const pending: Promise<unknown>[] = [];
      for (const [key, part] of parts) {
        const found = orNothing(pending, () => part(scope, rendering));
        if (found instanceof Promise) pending.push(found.then((settled) => set(made, key, settled)));
        else set(made, key, found);
      }
      return pending.length === 0 ? made : Promise.all(pending).then(() => made);
    };
  }

  function compileText(text: string, path: string): Render | null {
    const parts = partsOf(text, path);
    if (parts === null) return null;
    paths.push(path);
    const filled = parts.filter((part) => typeof part !== 'string' || part.trim() !== '');
    const [only] = filled;
    if (filled.length === 1 && typeof only === 'function') return only;
    return (scope, rendering) => {
      const made: unknown[] = [];
      for (const part of parts) made.push(typeof part === 'string' ? part : orNothing(made, () => part(scope, rendering)));
      const join = (all: readonly unknown[]): string =>
        all.map((part, i) => (typeof parts[i] === 'string' ? part : textOf(part, path))).join('');
      return made.some((part) => part instanceof Promise) ? Promise.all(made).then(join) : join(made);
    };
  }

  /** Splits a text into literal parts and compiled expressions; null after a fault. */
  function partsOf(text: string, path: string): (string | Render)[] | null {
    const parts: (string | Render)[] = [];
    let from = 0;
    while (faults.length < FAULTS_MAX) {
      const open = text.indexOf('{{', from);
      if (open < 0) break;
      const compiled = compileFrom(text, open + 2, path);
      if (compiled === null) return null;
      parts.push(text.slice(from, open), compiled.render);
      from = compiled.end;
    }
    parts.push(text.slice(from));
    return parts;
  }

  function compileFrom(text: string, start: number, path: string): { render: Render; end: number } | null {
    const { expressions } = environment;
    let why: string | undefined;
    for (const end of endsOf(text, start)) {
      if (wrongCharacters > WRONG_CHARACTERS_MAX) break;
      const expression = text.slice(start, end).trim();
      try {
        if (expressions === undefined) throw new Error('no expression language is configured');
        const evaluate = expressions.compile(expression);
        const strange = isStored ? undefined : expressions.rootsNamed(expression).find((name) => !SEEN.includes(name));
        if (strange !== undefined) {
          faults.push({
            path,
            message: `holds a template that uses "${strange}"; a template sees ${SEEN.slice(0, -1).join(', ')} and ${SEEN.at(-1)}`,
          });
          return null;
        }
        const own = ownSecrets(expressions.membersNamed(expression, 'secrets'), path);
        return own === null ? null : { render: renderOf(evaluate, own, expression, path), end: end + 2 };
      } catch (error) {
        wrongCharacters += expression.length;
        why ??= `holds a template that is not a valid expression: ${(error as Error).message}`;
      }
    }
    const isTooLong = text.indexOf('}}', start) > start + EXPRESSION_LENGTH_MAX;
    const unclosed = isTooLong ? `holds a template of more than ${EXPRESSION_LENGTH_MAX} characters` : 'has "{{" without "}}"';
    faults.push({ path, message: why ?? unclosed });
    return null;
  }

  /** The secrets that a template names, the only ones it sees, so that a definition shows which it uses. null after a fault. */
  function ownSecrets(names: readonly string[], path: string): (() => Secrets['values']) | null {
    let { values } = environment.secrets;
    const missing = names.filter((name) => !Object.hasOwn(values, name));
    faults.push(...missing.map((name) => ({ path, message: `uses secrets.${name}, but SECRET_${name} is not set` })));
    for (const name of names) secrets.add(name);
    if (missing.length > 0) return null;
    const named = (): Secrets['values'] => Object.freeze(Object.fromEntries(names.map((name) => [name, values[name] as string])));
    let own = named();
    // They can be replaced while the service runs.
    return () => {
      if (values !== environment.secrets.values) {
        values = environment.secrets.values;
        own = named();
      }
      return own;
    };
  }
}

function renderOf(evaluate: Expression, secretsNow: () => Secrets['values'], expression: string, path: string): Render {
  const here = `the template {{ ${expression} }} of ${path}`;
  const settle = (found: unknown, rendering: Rendering): unknown => {
    if (found === undefined) throw new TemplateError(`${here} evaluates to nothing for this item`);
    rendering.take(found);
    return found;
  };
  const fail = (error: unknown): never => {
    if ((error as { retryable?: unknown }).retryable === true) throw error;
    throw new TemplateError(`${here} fails: ${(error as Error).message}`);
  };
  return (scope, rendering) => {
    const evaluateHere = (): unknown => {
      let found: unknown;
      try {
        found = evaluate({ ...scope, secrets: secretsNow() });
      } catch (error) {
        fail(error);
      }
      return found instanceof Promise ? found.then((late) => settle(late, rendering), fail) : settle(found, rendering);
    };
    return rendering.evaluate(evaluateHere);
  };
}

/** Runs a part. If it throws, the parts begun before it are abandoned, and their later rejections are ignored. */
function orNothing(begun: readonly unknown[], part: () => unknown): unknown {
  try {
    return part();
  } catch (error) {
    void Promise.allSettled(begun);
    throw error;
  }
}

function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}

/** Sets an own member, `__proto__` too, which an assignment would take for the prototype. */
function set(into: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(into, key, { value, enumerable: true, writable: true, configurable: true });
  else into[key] = value;
}

/** A template's result as part of a text. Throws on `null`, which is nearly always an accident there. */
function textOf(found: unknown, path: string): string {
  if (typeof found === 'string') return found;
  if (found === null) throw new TemplateError(`a template inside the text of ${path} evaluates to null`);
  return typeof found === 'object' ? JSON.stringify(found) : String(found);
}
