import { weightOf } from '../../schemas/value-weight.ts';
import { PermanentError } from '../contract/errors.ts';
import type { Clock } from '../ports.ts';
import { turnQueue } from '../time/turn.ts';

/** A template evaluates to nothing for this item, or fails on it. A retry would end the same way. */
export class TemplateError extends PermanentError {
  override name = 'TemplateError';
}

/** The total weight of what a use's templates may find in one item. A use with a single template has no such limit. */
const FOUND_WEIGHT = 33_554_432;
/** How much they may find, and how many may begin, in the turn of the event loop in which their task begins. */
const TURN_WEIGHT = 262_144;
const TURN_COUNT = 8;

/**
 * One evaluation of a use's templates for one item. Each template yields a copy, so many templates that find a large value take long and
 * fill the memory: a rendering spreads them over turns of the event loop, and stops when they have found too much.
 */
export interface Rendering {
  /** Evaluates a template, at once or, as a promise, in a later turn. Throws or rejects with {@link TemplateError} when too much was found. */
  evaluate(work: () => unknown): unknown;
  /** Counts what a template has found. Throws {@link TemplateError} when all together is too much. */
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
