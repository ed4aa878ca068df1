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

/** The names of the input's members that the paths of an expression begin with, as far as it is certain that they are the input's. */
export function rootsIn(ast: object): string[] {
  const roots = new Set<string>();
  const todo: unknown[] = [ast];
  for (let next = todo.pop(); next !== undefined || todo.length > 0; next = todo.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const node = next as Node;
    switch (node.type) {
      case 'name':
        roots.add(node.value as string);
        break;
      case 'path':
        // The steps after the first are looked up in what that has found.
        todo.push((node.steps as Node[])[0]);
        break;
      case 'binary':
      case 'apply':
      case 'bind':
        todo.push(node.lhs, node.rhs);
        break;
      case 'unary':
        todo.push(node.expression, ...((node.expressions as Node[] | undefined) ?? []));
        if (node.value === '{') todo.push(...((node.lhs as Node[][] | undefined) ?? []).flat());
        break;
      case 'function':
      case 'partial':
        todo.push(...(node.arguments as Node[]));
        break;
      case 'condition':
        todo.push(node.condition, node.then, node.else);
        break;
      case 'block':
        todo.push(...(node.expressions as Node[]));
    }
  }
  return [...roots];
}

export function rootsOfPath({ variable, steps: [first] }: PlainPath): string[] {
  return variable === undefined && first !== undefined ? [first] : [];
}

function note(names: Names, root: string | undefined, member: string | undefined): Names {
  if (root === undefined || member === undefined) return names;
  names[root] ??= [];
  if (!names[root].includes(member)) names[root].push(member);
  return names;
}
