import { jsonPointer } from '../schemas/faults.ts';
import type { Metadata } from '../schemas/item.ts';
import type { Fault } from '../schemas/problem.ts';
import { PermanentError } from './errors.ts';
import type { Expression, ExpressionLanguage, Secrets } from './ports.ts';

/*
 * `{{ … }}` in the parameters of a definition: an expression over the item, evaluated for each attempt.
 *
 *     "https://api.example/{{ value.id }}?key={{ secrets.API }}"    a text with what the expressions find in it
 *     "{{ value.tags }}"                                            whatever the expression finds, with its type
 */

/** What an expression in a template sees. */
export interface TemplateScope {
  value: unknown;
  metadata: Metadata;
  itemId: string;
  sequenceId: number;
  /** Of a failure hook. */
  error?: unknown;
}

/** Parameters with templates in them, compiled once. */
export interface Templates {
  /** JSON pointers of the strings that hold some. */
  readonly paths: readonly string[];
  /** The members of the parameters that hold them. */
  readonly members: readonly string[];
  /** The parameters for one item, or a promise of them. Throws and rejects with a {@link TemplateError}. */
  render(scope: TemplateScope): unknown;
}

/** A template finds nothing in this item, or fails on it; it would again. */
export class TemplateError extends PermanentError {
  override name = 'TemplateError';
}

export interface TemplateEnvironment {
  expressions: ExpressionLanguage | undefined;
  secrets: Secrets;
}

type Scope = TemplateScope & { secrets: Secrets['values'] };
/** What it finds, or a promise of that. */
type Render = (scope: Scope) => unknown;

/** How many closing braces are tried for one expression that holds braces of its own. */
const CLOSINGS_TRIED = 64;

/**
 * Compiles what `given` holds of templates, but for the members named in `verbatim`; `templates` is null when there is none.
 * Every fault is found: an expression that is none, a secret that is not set.
 */
export function compileTemplates(
  given: unknown,
  verbatim: readonly string[],
  environment: TemplateEnvironment,
): { templates: Templates | null; faults: Fault[] } {
  const faults: Fault[] = [];
  const paths: string[] = [];
  const render = compileNode(given, []);
  const { values } = environment.secrets;
  const members = Object.keys(Object(given)).filter((key) => paths.some((path) => isBelow(path, jsonPointer([key]))));
  const templates =
    render === null ? null : { paths, members, render: (scope: TemplateScope) => render(Object.assign(scope, { secrets: values })) };
  return { templates, faults };

  /** null: nothing below is a template, so the node is used as it is. */
  function compileNode(node: unknown, path: (string | number)[]): Render | null {
    if (typeof node === 'string') return node.includes('{{') ? compileText(node, jsonPointer(path)) : null;
    if (typeof node !== 'object' || node === null) return null;
    const parts: [key: string, render: Render][] = [];
    for (const [key, member] of Object.entries(node)) {
      const part = path.length === 0 && verbatim.includes(key) ? null : compileNode(member, [...path, key]);
      if (part !== null) parts.push([key, part]);
    }
    if (parts.length === 0) return null;
    return (scope) => {
      const made = (Array.isArray(node) ? [...node] : { ...node }) as Record<string, unknown>;
      const pending: Promise<unknown>[] = [];
      for (const [key, part] of parts) {
        const found = part(scope);
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
    return (scope) => {
      const made = parts.map((part) => (typeof part === 'string' ? part : part(scope)));
      const join = (all: readonly unknown[]): string =>
        all.map((part, i) => (typeof parts[i] === 'string' ? part : textOf(part, path))).join('');
      return made.some((part) => part instanceof Promise) ? Promise.all(made).then(join) : join(made);
    };
  }

  /** Texts and what goes between them; null after a fault. */
  function partsOf(text: string, path: string): (string | Render)[] | null {
    const parts: (string | Render)[] = [];
    let from = 0;
    for (;;) {
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

  /** The expression ends at the first `}}` with which it is one: it may hold braces of its own. */
  function compileFrom(text: string, start: number, path: string): { render: Render; end: number } | null {
    const { expressions } = environment;
    let why: string | undefined;
    let close = text.indexOf('}}', start);
    for (let tried = 0; close >= 0 && tried < CLOSINGS_TRIED; tried++) {
      const source = text.slice(start, close).trim();
      try {
        if (expressions === undefined) throw new Error('there is no language for expressions');
        const render = renderOf(expressions.compile(source), source, path);
        const missing = missingSecrets(source, environment.secrets);
        faults.push(...missing.map((name) => ({ path, message: `uses secrets.${name}, and SECRET_${name} is not set` })));
        return missing.length > 0 ? null : { render, end: close + 2 };
      } catch (error) {
        why ??= `holds a template that is no expression: ${(error as Error).message}`;
      }
      close = text.indexOf('}}', close + 1);
    }
    faults.push({ path, message: why ?? 'has "{{" without "}}"' });
    return null;
  }
}

function renderOf(evaluate: Expression, source: string, path: string): Render {
  const here = `the template {{ ${source} }} of ${path}`;
  const settle = (found: unknown): unknown => {
    if (found === undefined) throw new TemplateError(`${here} finds nothing in this item`);
    return found;
  };
  const fail = (error: unknown): never => {
    if ((error as { retryable?: unknown }).retryable === true) throw error;
    throw new TemplateError(`${here} fails: ${(error as Error).message}`);
  };
  return (scope) => {
    let found: unknown;
    try {
      found = evaluate(scope);
    } catch (error) {
      fail(error);
    }
    return found instanceof Promise ? found.then(settle, fail) : settle(found);
  };
}

function isBelow(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}

/** Also a member that an assignment would take for the prototype. */
function set(into: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(into, key, { value, enumerable: true, writable: true, configurable: true });
  else into[key] = value;
}

/** In the middle of a text, `null` is nearly always an accident. */
function textOf(found: unknown, path: string): string {
  if (typeof found === 'string') return found;
  if (found === null) throw new TemplateError(`a template in the text of ${path} finds null`);
  return typeof found === 'object' ? JSON.stringify(found) : String(found);
}

function missingSecrets(source: string, secrets: Secrets): string[] {
  const names = [...source.matchAll(/(?<![\w.$])secrets\s*[.]\s*([A-Za-z_]\w*)/g)].map((match) => match[1] as string);
  return [...new Set(names)].filter((name) => !Object.hasOwn(secrets.values, name));
}
