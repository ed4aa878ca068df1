import { weightOf } from '../../schemas/value-weight.ts';
import { PermanentError } from '../contract/errors.ts';
import type { Clock } from '../ports.ts';
import { turnQueue } from '../time/turn.ts';

/** A template finds nothing in this item, or fails on it; it would again. */
export class TemplateError extends PermanentError {
  override name = 'TemplateError';
}

/** What the templates of a use may find in one item, all together; a single one may find whatever the item holds. */
const FOUND_WEIGHT = 33_554_432;
/** What they may find, and how many may begin, in the turn of the event loop in which the task does. */
const TURN_WEIGHT = 262_144;
const TURN_COUNT = 8;

/** The templates of a use, evaluated for one item: each finds a copy, so that many that find a large value take long and fill the memory. */
export interface Rendering {
  /** Evaluates a template: now, or in a turn of its own, as a promise. Throws and rejects with a {@link TemplateError} when it is too much. */
  evaluate(work: () => unknown): unknown;
  /** Counts what a template has found. */
  take(found: unknown): void;
}

export function createRendering(clock: Clock): Rendering {
  let begun = 0;
  let weight = 0;
  let count = 0;

  function expectRoom(): void {
    if (count <= 1 || weight <= FOUND_WEIGHT) return;
    throw new TemplateError(`the templates evaluate to more than ${FOUND_WEIGHT / 1_048_576} MB in total for this item`);
  }

  return {
    evaluate(work) {
      if (begun++ < TURN_COUNT && weight <= TURN_WEIGHT) return work();
      return new Promise((resolve, reject) => {
        turnQueue(clock).add(() => {
          try {
            expectRoom();
            resolve(work());
          } catch (error) {
            reject(error);
          }
        });
      });
    },
    take(found) {
      count++;
      weight += typeof found === 'string' ? found.length : weightOf(found, FOUND_WEIGHT);
      expectRoom();
    },
  };
}
