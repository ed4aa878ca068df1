/*
 * Two operators of JSONata have no function that could be replaced: `&`, whose texts can double with each step, and `^(…)`, which
 * takes n² of time and memory. Their nodes become calls of functions of ours. The function's names cannot be written.
 */

type Node = Record<string, unknown>;

export const CONCATENATE = ' concatenate';
export const ORDER_BY = ' orderBy';
const SORTED = ' sorted';

/** Changes the nodes below, and gives the names of the variables that they use. */
export function rewriteExpression(root: object): Set<string> {
  const names = new Set<string>();
  const seen = new Set<object>();
  const todo: object[] = [root];
  const nodes: Node[] = [];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (!Array.isArray(next)) nodes.push(next as Node);
    for (const member of Object.values(next)) if (typeof member === 'object' && member !== null) todo.push(member);
  }
  for (const node of nodes) {
    if (node.type === 'variable' && typeof node.value === 'string') names.add(node.value);
    if (node.type === 'binary' && node.value === '&') concatenated(node, names);
  }
  // The steps of a path are looked at as they are written, so the path that holds another one goes first.
  for (const node of nodes) if (node.type === 'path' && Array.isArray(node.steps)) ordered(node, names);
  return names;
}

function concatenated(node: Node, names: Set<string>): void {
  names.add(CONCATENATE);
  const { lhs, rhs, position } = node;
  Object.assign(node, call(CONCATENATE, position, [lhs, rhs]));
  delete node.lhs;
  delete node.rhs;
}

/** `a^(b)[0].c` becomes `( $sorted := $orderBy(a, [λ{ b }], [false])[0]; $sorted.c )`. */
function ordered(node: Node, names: Set<string>): void {
  const steps = node.steps as Node[];
  const at = steps.findLastIndex((step) => step.type === 'sort');
  if (at < 1 || node.keepSingletonArray === true || node.tuple === true || steps.some(isUnusual)) return;
  names.add(ORDER_BY);
  const { terms, stages, position } = steps[at] as {
    terms: { descending: boolean; expression: Node }[];
    stages?: Node[];
    position: unknown;
  };
  const before: Node = { type: 'path', steps: steps.slice(0, at) };
  ordered(before, names);
  const keys = list(terms.map(({ expression }) => ({ type: 'lambda', arguments: [], body: expression })));
  const directions = list(terms.map(({ descending }) => ({ type: 'value', value: descending })));
  const sorted: Node = call(ORDER_BY, position, [before, keys, directions, { type: 'value', value: position }]);
  if (stages !== undefined) sorted.predicate = stages;
  const rest: Node = { ...node, steps: [{ type: 'variable', value: SORTED, position }, ...steps.slice(at + 1)] };
  for (const name of Object.keys(node)) delete node[name];
  const bound = { type: 'bind', value: ':=', position, lhs: { type: 'variable', value: SORTED, position }, rhs: sorted };
  Object.assign(node, { type: 'block', position, expressions: [bound, rest] });
}

/** Steps that carry bindings along, or bind a variable outside a block of their own: they stay as they are. */
function isUnusual(step: Node): boolean {
  const stages = (step.stages ?? []) as Node[];
  return (
    ['tuple', 'focus', 'index', 'ancestor'].some((flag) => step[flag] !== undefined) ||
    stages.some(({ type }) => type !== 'filter') ||
    step.type === 'bind' ||
    step.type === 'parent'
  );
}

function call(name: string, position: unknown, args: unknown[]): Node {
  return { type: 'function', value: '(', position, procedure: { type: 'variable', value: name, position }, arguments: args };
}

function list(expressions: Node[]): Node {
  return { type: 'unary', value: '[', expressions };
}
