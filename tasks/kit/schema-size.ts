/*
 * How much a JSON Schema asks for, told from its text alone: to compile it, and to check a value with it. Compiling is done in the event
 * loop, and so bounded (`compileCost`); checking is done there only as far as it is certain to be quick (`quickUpTo`).
 */

/** About how many tenths of a millisecond it takes to compile a schema, at most, or something above what anyone allows. */
export function compileCost(schema: unknown): number {
  let cost = BASE_COST;
  const todo: unknown[] = [schema];
  while (todo.length > 0 && cost < COST_TOLD_MAX) {
    const node = todo.pop();
    if (typeof node === 'string') cost += node.length / 1000;
    if (typeof node !== 'object' || node === null) continue;
    const members = Array.isArray(node) ? node : Object.values(node);
    // Anything may be referred to as a schema, wherever it stands.
    cost += Array.isArray(node) ? 0.1 : OBJECT_COST;
    cost += members.length * (Array.isArray(node) ? 0.02 : KEYWORD_COST);
    if (!Array.isArray(node)) cost += squareCost(node as Record<string, unknown>);
    for (const member of members) todo.push(member);
  }
  return Math.ceil(cost);
}

/** Beyond it nobody asks how much it is. */
const COST_TOLD_MAX = 100_000;
const BASE_COST = 15;
const OBJECT_COST = 0.6;
const KEYWORD_COST = 0.6;

/** Where ajv compares each with each, or writes for each as much as there are. */
function squareCost({ patternProperties, dependentRequired, oneOf, allOf, anyOf }: Record<string, unknown>): number {
  const sizes = [
    ...[patternProperties, dependentRequired].map((of) => Object.keys(Object(of)).length),
    ...[oneOf, allOf, anyOf].map((of) => (Array.isArray(of) ? of.length : 0)),
    ...Object.values(Object(dependentRequired)).map((names) => (Array.isArray(names) ? names.length : 0)),
  ];
  return sizes.reduce((sum, size) => sum + (size * size) / 100, 0);
}

/** Steps of a check that are taken in the event loop: some milliseconds. */
const QUICK_STEPS = 50_000;
/** About the least weight of a member of a value. */
const MEMBER_WEIGHT = 10;
/** With texts that a pattern or a format goes through. */
const QUICK_TEXTS_WEIGHT = 8192;
const SIZE_MAX = 5000;

/** The weight of a value up to which checking it is certain to be quick; 0 when none is. */
export function quickUpTo(schema: unknown): number {
  const look: Look = { root: schema, inside: new Set(), known: new Map(), hasTexts: false };
  const size = sizeOf(schema, look);
  if (size > SIZE_MAX) return 0;
  const weight = Math.floor((QUICK_STEPS / size) * MEMBER_WEIGHT);
  return look.hasTexts ? Math.min(weight, QUICK_TEXTS_WEIGHT) : weight;
}

interface Look {
  root: unknown;
  /** References that are being followed: one that comes again has no end. */
  inside: Set<string>;
  known: Map<string, number>;
  hasTexts: boolean;
}

/** How many nodes it has with every reference replaced by what it leads to. */
function sizeOf(node: unknown, look: Look): number {
  if (typeof node !== 'object' || node === null) return 1;
  let size = 1;
  if (Array.isArray(node)) {
    for (const member of node) {
      size += sizeOf(member, look);
      if (size > SIZE_MAX) return size;
    }
    return size;
  }
  for (const [key, member] of Object.entries(node)) {
    if (key === '$dynamicRef' || key === '$recursiveRef' || key === '$id' || key === '$anchor' || key === '$dynamicAnchor')
      return SIZE_MAX + 1;
    if (key === 'pattern' || key === 'format') look.hasTexts = true;
    if (key === 'pattern' && typeof member === 'string' && !isQuickPattern(member)) return SIZE_MAX + 1;
    if (key === 'patternProperties') {
      look.hasTexts = true;
      if (!Object.keys(Object(member)).every(isQuickPattern)) return SIZE_MAX + 1;
    }
    if (key === '$ref' && typeof member === 'string') size += referredSize(member, look);
    else size += sizeOf(member, look);
    if (size > SIZE_MAX) return size;
  }
  return size;
}

function referredSize(reference: string, look: Look): number {
  const known = look.known.get(reference);
  if (known !== undefined) return known;
  if (!/^#(?:\/|$)/.test(reference) || look.inside.has(reference)) return SIZE_MAX + 1;
  let target: unknown = look.root;
  for (const step of reference.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, name)) return SIZE_MAX + 1;
    target = (target as Record<string, unknown>)[name];
  }
  look.inside.add(reference);
  const size = sizeOf(target, look);
  look.inside.delete(reference);
  look.known.set(reference, size);
  return size;
}

/**
 * Whether it can be seen that a pattern takes a time in proportion to the text: single characters and classes, at most one of which is
 * repeated a number of times that is not fixed, and then from the beginning of the text. No group, no alternative.
 */
export function isQuickPattern(pattern: string): boolean {
  const match =
    /^(\^?)((?:(?:\\[dDwWsS.\-/\\+*?()[\]{}^$|]|\[\^?(?:\\[dDwWsS.\-/\\+*?()[\]{}^$|]|[^\\[\]])+\]|[^\\()[\]{}|*+?^$])(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})?){0,64})(\$?)$/u.exec(
      pattern,
    );
  if (match === null) return false;
  const loose = (match[2] ?? '').replace(/\\.|\[(?:\\.|[^\\\]])*\]/gu, 'x').match(/[*+?]|\{\d+,\d*\}/g)?.length ?? 0;
  return loose === 0 || (loose === 1 && match[1] === '^');
}
