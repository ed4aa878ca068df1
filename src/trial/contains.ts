import { isDeepStrictEqual } from 'node:util';

/** Whether a value has all of `part`: of an object the members, each in the same way, of a list every element in its place, and else the same. */
export function containsAll(value: unknown, part: unknown): boolean {
  if (Array.isArray(part))
    return Array.isArray(value) && value.length === part.length && part.every((one, i) => containsAll(value[i], one));
  if (typeof part !== 'object' || part === null) return isDeepStrictEqual(value, part);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(part).every(
    ([name, one]) => Object.hasOwn(value, name) && containsAll((value as Record<string, unknown>)[name], one),
  );
}
