import { isDeepStrictEqual } from 'node:util';
import { jsonPointer } from '../../schemas/faults.ts';
import type { LimiterSettings, Limits } from '../../schemas/limiter.ts';
import type { ErrorCode, Fault } from '../../schemas/problem.ts';
import { SluiceError } from '../contract/errors.ts';
import type { SharedLimiter } from './shared-limiter.ts';

/** A limiter, and what defines it. */
export interface Defined {
  readonly limiter: SharedLimiter;
  /** A definitions file defines it, which goes before all pipelines. */
  readonly isInFile: boolean;
  /** The pipelines whose definitions define it. */
  readonly definers: Set<string>;
}

/** What a pipeline has to do with limiters by its next definition. */
export interface LimitsOf {
  id: string;
  /** Those that it defines. */
  limits: Limits;
  /** Those that its tasks name. */
  uses: ReadonlySet<string>;
  /** The other pipelines whose tasks name a limiter. */
  othersWith: (name: string) => readonly string[];
  /** The pipelines that whoever asks may change and see; null: all. */
  within: ReadonlySet<string> | null;
}

/** The rest of the registry, as far as a plan needs it. */
export interface LimiterRegistry {
  byName: Map<string, Defined>;
  make: (name: string, settings: LimiterSettings) => SharedLimiter;
  leave: (name: string, limiter: SharedLimiter) => void;
}

/** The steps of a change: new limiters come first, since stages are made with them; all else when the definition is in effect. */
export interface PlannedLimits {
  begin(): void;
  commit(): void;
  /** In place of {@link PlannedLimits.commit}. */
  undo(): void;
}

/**
 * Finds out what a definition does to limiters:
 *
 *     it defines one that nothing else defines ──▶ it is made, or changed for everyone who uses it
 *     that a file or another pipeline defines  ──▶ alike: nothing; otherwise: `limiter-conflict`
 *     it defines one no more that nothing else defines ──▶ it goes; if others use it: `limiter-in-use`
 *
 * Throws those, `forbidden` when a change would concern pipelines that the caller may not change, and `unknown-limiter` when a limiter of its tasks has
 * gone since the definition was checked. Nothing has changed then.
 */
export function planLimits({ id, limits, uses, othersWith, within }: LimitsOf, { byName, make, leave }: LimiterRegistry): PlannedLimits {
  const othersThat = (known: Defined): string[] => [...known.definers].filter((definer) => definer !== id);
  const named = (ids: readonly string[]): string => {
    const seen = within === null ? ids : ids.filter((each) => within.has(each));
    if (seen.length < ids.length || seen.length === 0) return 'other pipelines';
    const shown = seen.slice(0, NAMED).map((each) => `"${each}"`);
    return `the ${seen.length === 1 ? 'pipeline' : 'pipelines'} ${shown.join(', ')}${seen.length > NAMED ? ' and more' : ''}`;
  };

  const conflicts: Fault[] = [];
  const fresh: [string, LimiterSettings][] = [];
  const changed: [Defined, LimiterSettings][] = [];
  for (const [name, settings] of Object.entries(limits)) {
    const known = byName.get(name);
    if (known === undefined) fresh.push([name, settings]);
    else if (!isDeepStrictEqual(known.limiter.defined, settings)) {
      const others = othersThat(known);
      const path = jsonPointer(['limits', name]);
      if (known.isInFile) conflicts.push({ path, message: 'is defined otherwise by a definitions file' });
      else if (others.length > 0) conflicts.push({ path, message: `is defined otherwise by ${named(others)}` });
      else changed.push([known, settings]);
    }
  }
  expectNone('limiter-conflict', conflicts);
  for (const [{ limiter }] of changed) {
    if (within === null || othersWith(limiter.name).every((each) => within.has(each))) continue;
    const message = `the limiter "${limiter.name}" is used by pipelines that the key is not for, so it cannot change it`;
    throw new SluiceError('forbidden', message);
  }
  const dropped = [...byName.values()].filter(
    (known) => known.definers.has(id) && !known.isInFile && !Object.hasOwn(limits, known.limiter.name) && othersThat(known).length === 0,
  );
  for (const { limiter } of dropped) {
    const users = othersWith(limiter.name);
    if (users.length === 0) continue;
    const message = `the limiter "${limiter.name}" is used by ${named(users)}, and only this definition defines it`;
    throw new SluiceError('limiter-in-use', message, { details: { limiter: limiter.name } });
  }
  for (const name of uses) {
    const known = byName.get(name);
    if (Object.hasOwn(limits, name) || (known !== undefined && !dropped.includes(known))) continue;
    throw new SluiceError('unknown-limiter', `no limiter "${name}" is defined`);
  }

  return {
    begin() {
      for (const [name, settings] of fresh) byName.set(name, { limiter: make(name, settings), isInFile: false, definers: new Set([id]) });
    },
    undo() {
      for (const [name] of fresh) remove(name);
    },
    commit() {
      for (const [{ limiter }, settings] of changed) limiter.redefine(settings);
      for (const [name, known] of byName) {
        if (Object.hasOwn(limits, name)) known.definers.add(id);
        else known.definers.delete(id);
      }
      for (const { limiter } of dropped) remove(limiter.name);
    },
  };

  function remove(name: string): void {
    const known = byName.get(name);
    byName.delete(name);
    if (known !== undefined) leave(name, known.limiter);
  }
}

/** So many pipelines are named in a message. */
const NAMED = 5;

function expectNone(code: ErrorCode, errors: Fault[]): void {
  if (errors.length > 0) throw new SluiceError(code, errors.map(({ path, message }) => `${path} ${message}`).join('; '), { errors });
}
