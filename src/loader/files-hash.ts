import { createHash } from 'node:crypto';
import type { Loaded } from './definitions.ts';

/**
 * A summary of what files define: a hash of each pipeline and limiter, and one of all. It is kept in the store when they are loaded, so that a start, or a node
 * that becomes the owner, can tell whether its own files say the same. Order, layout and the files' names do not count.
 */
export interface FilesHash {
  hash: string;
  /** By id. */
  pipelines: Record<string, string>;
  /** By name. */
  limiters: Record<string, string>;
}

/** The ids and names in which files differ from those that a store was loaded from. */
export interface FilesDifference {
  added: string[];
  changed: string[];
  removed: string[];
  /** In whatever way. */
  limiters: string[];
}

export function filesHash({ definitions, limiters }: Pick<Loaded, 'definitions' | 'limiters'>): FilesHash {
  const pipelines = Object.fromEntries(definitions.map(({ definition }) => [definition.id, hashOf(definition)]));
  const ofLimiters = Object.fromEntries(limiters.map(({ name, settings }) => [name, hashOf(settings)]));
  return { hash: hashOf([pipelines, ofLimiters]), pipelines, limiters: ofLimiters };
}

/** How files differ from those that a store was last loaded from, as {@link LocalHost.filesLoaded} says it; null: not at all, or none ever were. */
export function filesDifference(now: FilesHash, loaded: string | null): FilesDifference | null {
  if (loaded === null) return null;
  const before = JSON.parse(loaded) as FilesHash;
  if (before.hash === now.hash) return null;
  const known = (id: string): boolean => Object.hasOwn(before.pipelines, id);
  const ids = Object.keys(now.pipelines).sort();
  return {
    added: ids.filter((id) => !known(id)),
    changed: ids.filter((id) => known(id) && before.pipelines[id] !== now.pipelines[id]),
    removed: Object.keys(before.pipelines)
      .filter((id) => !Object.hasOwn(now.pipelines, id))
      .sort(),
    limiters: [...new Set([...Object.keys(before.limiters), ...Object.keys(now.limiters)])]
      .filter((name) => before.limiters[name] !== now.limiters[name])
      .sort(),
  };
}

function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('base64url')
    .slice(0, 22);
}

/** The same with the members of objects as a list, in the order of their names. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => [name, sorted(member)]);
  return { members };
}
