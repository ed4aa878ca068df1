import type { HookUse } from '../../schemas/definition.ts';
import type { Fault } from '../../schemas/problem.ts';
import { describeThrown, PermanentError, SluiceError } from '../contract/errors.ts';
import type { TaskDeclaration, TaskHandler } from '../contract/task.ts';
import { compileTemplates, type TemplateEnvironment, type TemplateScope, templatesCost } from './templates.ts';

/** A task, predicate or hook as a definition uses it: its handler with parameters that are the item's, or the same for all. */
export type PreparedUse = { secrets: readonly string[] } & (
  | { params: unknown; handler: TaskHandler; prepare: null }
  /** Its parameters hold templates: what they are, and the handler, is known for each item. */
  | { params: undefined; handler: null; prepare: (scope: TemplateScope) => ItemUse | Promise<ItemUse> }
);

export interface ItemUse {
  params: unknown;
  handler: TaskHandler;
}

/** The parameters of an item, made from templates, do not fit; they would not again. */
class ItemParamsError extends PermanentError {
  override name = 'InvalidParams';
}

export function useName(use: HookUse): string {
  return typeof use === 'string' ? use : use.task;
}

export function useParams(use: HookUse): Record<string, unknown> | undefined {
  return typeof use === 'string' ? undefined : use.with;
}

/** About how long it takes to look at a use, in tenths of a millisecond, or something above `most`. */
export function useCost(declaration: TaskDeclaration, given: unknown, most: number): number {
  return (declaration.costOf?.(given) ?? 0) + templatesCost(given, declaration.verbatim ?? [], most);
}

/** What is wrong with the parameters of a use; paths are JSON pointers inside them. What a template makes is seen with each item. */
export function useFaults(declaration: TaskDeclaration, given: unknown, environment: TemplateEnvironment): Fault[] {
  const { templates, faults } = compileTemplates(given, declaration.verbatim ?? [], environment);
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

/** Throws `invalid-params` when the parameters do not fit. */
export function prepareUse(declaration: TaskDeclaration, given: unknown, environment: TemplateEnvironment): PreparedUse {
  const { templates } = compileTemplates(given, declaration.verbatim ?? [], environment);
  // By the names in the expressions, not by what they make: of a secret that was encoded, hashed or cut, nothing could be recognised.
  const traits = { hasSecrets: templates !== null && templates.secrets.length > 0 };
  const handlerOf = (params: unknown): TaskHandler => declaration.prepare?.(params, traits) ?? declaration.run;
  if (templates === null) {
    const params = declaration.parseParams(given);
    return { params, handler: handlerOf(params), prepare: null, secrets: [] };
  }
  const parse = itemParser(declaration, given, templates.members);
  const finish = (rendered: unknown): ItemUse => {
    let params: unknown;
    try {
      params = parse(rendered);
    } catch (error) {
      throw new ItemParamsError(describeThrown(error, environment.secrets.mask).message);
    }
    return { params, handler: handlerOf(params) };
  };
  return {
    params: undefined,
    handler: null,
    secrets: templates.secrets,
    prepare(scope) {
      const rendered = templates.render(scope);
      return rendered instanceof Promise ? rendered.then(finish) : finish(rendered);
    },
  };
}

/** Only the members that are the item's need to be looked at again, where the others could be without them. */
function itemParser(declaration: TaskDeclaration, given: unknown, members: readonly string[]): (rendered: unknown) => unknown {
  const { parseMembers } = declaration;
  if (parseMembers === undefined || parseFaults(declaration, given).length > 0) return declaration.parseParams;
  const common = declaration.parseParams(given);
  return (rendered) => parseMembers(common, rendered as Record<string, unknown>, members);
}
