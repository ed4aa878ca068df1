const NODE_WEIGHT = 8;
/** Cost of copying an object or a list between processes, apart from its members. */
const OBJECT_WEIGHT = 16;

/**
 * About the size of a value in bytes, or, above `most`, some number above it. Ends early, so that a value of any size is weighed in a
 * bounded time. Of any depth.
 */
export function weightOf(value: unknown, most: number): number {
  let weight = 0;
  const todo: unknown[] = [value];
  while (todo.length > 0 && weight <= most) {
    const next = todo.pop();
    weight += NODE_WEIGHT;
    if (typeof next === 'string') weight += next.length;
    else if (Array.isArray(next)) {
      weight += OBJECT_WEIGHT + next.length;
      // An array that is too long by itself is not looked into.
      if (weight <= most) for (const member of next) todo.push(member);
    } else if (typeof next === 'object' && next !== null) {
      weight += OBJECT_WEIGHT;
      for (const key in next) {
        weight += key.length;
        todo.push((next as Record<string, unknown>)[key]);
      }
    }
  }
  return weight;
}
