import type { PlainPath } from './plain-path.ts';

type Node = Record<string, unknown>;

/**
 * The names that paths of an expression begin with, and those that come next: `KEY` under `secrets` for `secrets.KEY`, `$.secrets.KEY` and
 * `$$.secrets.KEY`.
 */
export type Names = Record<string, string[]>;

export function namesOfPath({ variable, steps: [first, second] }: PlainPath): Names {
  return note(Object.create(null), variable === undefined ? first : undefined, second);
}

export function namesIn(ast: object): Names {
  const names: Names = Object.create(null);
  const seen = new Set<object>();
  const todo: object[] = [ast];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    const { type, steps } = node as Node;
    if (type === 'path' && Array.isArray(steps)) {
      const [first, ...rest] = steps as Node[];
      const isRoot = first?.type === 'variable' && (first.value === '' || first.value === '$');
      const [root, member] = isRoot ? rest : [first, ...rest];
      if (root?.type === 'name' && member?.type === 'name') note(names, root.value as string, member.value as string);
    }
    for (const part of Object.values(node)) if (typeof part === 'object' && part !== null) todo.push(part);
  }
  return names;
}

function note(names: Names, root: string | undefined, member: string | undefined): Names {
  if (root === undefined || member === undefined) return names;
  names[root] ??= [];
  if (!names[root].includes(member)) names[root].push(member);
  return names;
}
