import type { HookUse, TaskUse } from '../../schemas/definition.ts';
import type { Fault } from '../../schemas/problem.ts';
import { describeThrown, PermanentError, SluiceError } from '../contract/errors.ts';
import type { TaskDeclaration, TaskHandler } from '../contract/task.ts';
import { compileTemplates, type TemplateEnvironment, type TemplateScope, templatesCost } from './templates.ts';

/** A task, predicate or hook as a definition uses it: its handler, with parameters that are the same for all items or made for each. */
export type PreparedUse = { secrets: readonly string[] } & (
  | { isTemplated: false; params: unknown; handler: TaskHandler }
  /** Its parameters contain templates: both they and the handler are made for each item. `render` makes its `with`, and `make` the rest of that. */
  | { isTemplated: true; render: (scope: TemplateScope) => unknown; make: (given: unknown) => ItemUse }
);

export interface ItemUse {
  params: unknown;
  handler: TaskHandler;
}

/** The parameters that templates made for an item do not match the schema. A retry would end the same way. */
class ItemParamsError extends PermanentError {
  override name = 'InvalidParams';
}

export function useName(use: HookUse): string {
  return typeof use === 'string' ? use : use.task;
}

export function useParams(use: HookUse): Record<string, unknown> | undefined {
  return typeof use === 'string' ? undefined : use.with;
}

/** The names of the limiters that a use of a task has. */
export function limitersOf(use: TaskUse): readonly string[] {
  if (typeof use === 'string' || use.limiter === undefined) return [];
  return typeof use.limiter === 'string' ? [use.limiter] : use.limiter;
}

/** About how long it takes to check a use, in tenths of a millisecond; any number above `most` when it exceeds that. */
export function useCost(declaration: TaskDeclaration, given: unknown, most: number): number {
  return (declaration.costOf?.(given) ?? 0) + templatesCost(given, declaration.verbatim ?? [], most);
}

/**
 * The faults of a use's parameters, with paths as JSON Pointers inside them. What a template evaluates to is checked with each item. `isStored`: it was
 * accepted before, perhaps by a version that found less wrong.
 */
export function useFaults(declaration: TaskDeclaration, given: unknown, environment: TemplateEnvironment, isStored = false): Fault[] {
  const { templates, faults } = compileTemplates(given, declaration.verbatim ?? [], environment, isStored);
  if (!isStored && declaration.lint !== undefined) faults.push(...declaration.lint(given));
  const paths = templates?.paths ?? [];
  const hasTemplate = (at: string) => paths.some((path) => at === path || at.startsWith(`${path}/`) || path.startsWith(`${at}/`));
  const isFaulty = (at: string) => faults.some(({ path }) => at === path);
  return [...faults, ...parseFaults(declaration, given).filter(({ path }) => !hasTemplate(path) && !isFaulty(path))];
}

function parseFaults(declaration: TaskDeclaration, given: unknown): Fault[] {
  try {
    declaration.parseParams(given);
    return [];
  } catch (error) {
    if (error instanceof SluiceError && error.errors !== undefined) return error.errors;
    return [{ path: '', message: describeThrown(error).message }];
  }
}

/** Compiles a use's templates and parses its parameters. Throws `invalid-params` when they do not match the schema. */
export function prepareUse(declaration: TaskDeclaration, given: unknown, environment: TemplateEnvironment): PreparedUse {
  const { templates } = compileTemplates(given, declaration.verbatim ?? [], environment);
  // Judged by the names in the expressions, not by their results: a secret that was encoded, hashed or cut cannot be recognised.
  const traits = { hasSecrets: templates !== null && templates.secrets.length > 0 };
  const handlerOf = (params: unknown): TaskHandler => declaration.prepare?.(params, traits) ?? declaration.run;
  if (templates === null) {
    const params = declaration.parseParams(given);
    return { isTemplated: false, params, handler: handlerOf(params), secrets: [] };
  }
  const parse = itemParser(declaration, given, templates.members);
  const make = (rendered: unknown): ItemUse => {
    let params: unknown;
    try {
      params = parse(rendered);
    } catch (error) {
      throw new ItemParamsError(describeThrown(error, environment.secrets.mask).message);
    }
    return { params, handler: handlerOf(params) };
  };
  return { isTemplated: true, secrets: templates.secrets, render: (scope) => templates.render(scope), make };
}

/** Parses an item's parameters: only the templated members when the task can check those alone and the others are valid as they stand. */
function itemParser(declaration: TaskDeclaration, given: unknown, members: readonly string[]): (rendered: unknown) => unknown {
  const { parseMembers } = declaration;
  if (parseMembers === undefined || parseFaults(declaration, given).length > 0) return declaration.parseParams;
  const common = declaration.parseParams(given);
  return (rendered) => parseMembers(common, rendered as Record<string, unknown>, members);
}
