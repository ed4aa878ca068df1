import type { TaskInfo, TaskKind } from '../../schemas/task.ts';
import { SluiceError } from '../contract/errors.ts';
import type { TaskCatalogue } from '../contract/host.ts';
import type { TaskDeclaration } from '../contract/task.ts';

/** All names that definitions may use. Tasks, predicates and hooks share one namespace, which does not change while the service runs. */
export interface TaskRegistry extends TaskCatalogue {
  get(name: string, kind: TaskKind): TaskDeclaration | undefined;
}

/** Builds the registry. Throws `invalid-pipeline` when two declarations share a name. */
export function createTaskRegistry(declarations: Iterable<TaskDeclaration>): TaskRegistry {
  const byName = new Map<string, TaskDeclaration>();
  for (const declaration of declarations) {
    if (byName.has(declaration.name)) throw new SluiceError('invalid-pipeline', `two tasks have the name "${declaration.name}"`);
    byName.set(declaration.name, declaration);
  }
  return {
    get(name, kind) {
      const found = byName.get(name);
      return found?.kind === kind ? found : undefined;
    },
    list(): TaskInfo[] {
      return [...byName.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, kind, description, paramsSchema }) => ({ name, kind, description, paramsSchema }));
    },
  };
}
