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
  /** The parameters for one item. Rejects with a {@link TemplateError}. */
  render(scope: TemplateScope): Promise<unknown>;
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
  const templates = render === null ? null : { paths, render: async (scope: TemplateScope) => render({ ...scope, secrets: values }) };
  return { templates, faults };

  /** null: nothing below is a template, so the node is used as it is. */
  function compileNode(node: unknown, path: (string | number)[]): Render | null {
    if (typeof node === 'string') return node.includes('{{') ? compileText(node, jsonPointer(path)) : null;
    if (typeof node !== 'object' || node === null) return null;
    const entries = Object.entries(node).map(([key, member]) => {
      const isVerbatim = path.length === 0 && verbatim.includes(key);
      return [key, member, isVerbatim ? null : compileNode(member, [...path, key])] as const;
    });
    if (entries.every(([, , part]) => part === null)) return null;
    return async (scope) => {
      const made: [string, unknown][] = [];
      for (const [key, member, part] of entries) made.push([key, part === null ? member : await part(scope)]);
      return Array.isArray(node) ? made.map(([, member]) => member) : Object.fromEntries(made);
    };
  }

  function compileText(text: string, path: string): Render | null {
    const parts = partsOf(text, path);
    if (parts === null) return null;
    paths.push(path);
    const filled = parts.filter((part) => typeof part !== 'string' || part.trim() !== '');
    const [only] = filled;
    if (filled.length === 1 && typeof only === 'function') return only;
    return async (scope) => {
      let made = '';
      for (const part of parts) made += typeof part === 'string' ? part : textOf(await part(scope), path);
      return made;
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
  return async (scope) => {
    let found: unknown;
    try {
      found = await evaluate(scope);
    } catch (error) {
      throw new TemplateError(`the template {{ ${source} }} of ${path} fails: ${(error as Error).message}`);
    }
    if (found === undefined) throw new TemplateError(`the template {{ ${source} }} of ${path} finds nothing in this item`);
    return found;
  };
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
