import { isDeepStrictEqual } from 'node:util';
import type { ApiKey } from '../../schemas/api-key.ts';

/** The names of keys that a change concerns, sorted. */
export interface KeyChanges {
  added: string[];
  changed: string[];
  removed: string[];
}

/** The keys in force. There are some from the start to the end, or none: whether callers need a key never changes. */
export interface KeyRing {
  readonly current: readonly ApiKey[];
  /** Puts other keys in their place. Throws RangeError when that would lock everybody out, or let everybody in. */
  replace(keys: readonly ApiKey[]): KeyChanges;
  /** Calls `told` after each change. */
  onChange(told: () => void): void;
  /** Whether a key still gives what it gave. */
  holds(key: ApiKey): boolean;
}

export function createKeyRing(keys: readonly ApiKey[]): KeyRing {
  let current = keys;
  const listeners: (() => void)[] = [];
  return {
    get current() {
      return current;
    },
    replace(next) {
      if ((next.length === 0) !== (current.length === 0)) throw new RangeError('whether keys are needed is decided at the start');
      const changes = changesOf(current, next);
      current = next;
      for (const told of listeners) told();
      return changes;
    },
    onChange: (told) => void listeners.push(told),
    holds: (key) => current.some((other) => isDeepStrictEqual(other, key)),
  };
}

/** Several keys may share a name; then it has changed when one of them has come, gone or changed. */
function changesOf(before: readonly ApiKey[], after: readonly ApiKey[]): KeyChanges {
  const named = (keys: readonly ApiKey[], name: string): ApiKey[] =>
    keys.filter((key) => key.name === name).sort((a, b) => (a.sha256Hex < b.sha256Hex ? -1 : 1));
  const changes: KeyChanges = { added: [], changed: [], removed: [] };
  for (const name of [...new Set([...before, ...after].map((key) => key.name))].sort()) {
    const [old, fresh] = [named(before, name), named(after, name)];
    if (old.length === 0) changes.added.push(name);
    else if (fresh.length === 0) changes.removed.push(name);
    else if (!isDeepStrictEqual(old, fresh)) changes.changed.push(name);
  }
  return changes;
}
