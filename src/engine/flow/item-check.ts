import type { OnDuplicate } from '../../schemas/control.ts';
import { jsonPointer } from '../../schemas/faults.ts';
import type { Fault } from '../../schemas/problem.ts';
import { SluiceError } from '../contract/errors.ts';
import type { FeedRequest } from '../contract/requests.ts';
import { LARGE } from '../values/sizes.ts';
import type { ValueFault, ValueRule } from '../values/value-rule.ts';
import { idFaults, idOf, isNamed } from './incoming.ts';
import type { Items } from './item-index.ts';

/** See {@link FeedRequest}. */
export type Checks = Pick<FeedRequest, 'onDuplicate' | 'isParsed'>;

/** Checks items before they are accepted: their ids, their values and their sizes. It accepts none. */
export class ItemCheck {
  private readonly index: () => Items;
  private readonly values: ValueRule | undefined;
  /** Sizes of the large items on their way in; nobody needs those of the others. */
  private readonly large = new WeakMap<object, number>();
  /** False until the first large item, so that without any there is nothing to look up. */
  private hasLarge = false;

  /** `values`: the rule that items must satisfy; undefined: none. */
  constructor(index: () => Items, values: ValueRule | undefined) {
    this.index = index;
    this.values = values;
  }

  /**
   * Checks ids and values, and returns the items as plain data, as they are accepted from then on. Throws `invalid-input` or `value-too-large`
   * with every fault, or `duplicate-items` if they are to be rejected.
   */
  check(given: readonly unknown[], { onDuplicate, isParsed }: Checks): readonly unknown[] {
    const { count, faults } = idFaults(given);
    if (count > 0) throw new SluiceError('invalid-input', `${count} of the items have an invalid id`, { errors: faults });
    const items = this.takeValues(given, isParsed);
    if (onDuplicate === 'reject') this.expectNew(items);
    return items;
  }

  private expectNew(items: readonly unknown[]): void {
    const seen = new Set<string>();
    const known: string[] = [];
    for (const raw of items) {
      if (!isNamed(raw)) continue;
      const id = idOf(raw) as string;
      if (seen.has(id) || this.index().peek(id) !== undefined) known.push(id);
      seen.add(id);
    }
    if (known.length > 0) {
      throw new SluiceError('duplicate-items', `${known.length} of the ids already exist`, { details: { ids: known.slice(0, 1000) } });
    }
  }

  /** About how many characters an item takes as JSON, as found by {@link ItemCheck.check}; 0 when it was not measured as large. */
  sizeOf(raw: unknown): number {
    if (!this.hasLarge) return 0;
    if (typeof raw === 'string') return raw.length;
    return typeof raw === 'object' && raw !== null ? (this.large.get(raw) ?? 0) : 0;
  }

  /** Returns a counter: called with items, it returns how many of all items given to it so far need a place. */
  counter(onDuplicate: OnDuplicate | undefined): (items: readonly unknown[]) => number {
    const fresh = new Set<string>();
    let unnamed = 0;
    return (items) => {
      const index = this.index();
      for (const raw of items) {
        const id = isNamed(raw) ? idOf(raw) : null;
        if (id === null) {
          unnamed++;
          continue;
        }
        const known = index.peek(id);
        if (known === undefined || (onDuplicate === 'rerun' && known.isFinal)) fresh.add(id);
      }
      return unnamed + fresh.size;
    };
  }

  private takeValues(given: readonly unknown[], isParsed: boolean | undefined): readonly unknown[] {
    const { values } = this;
    if (values === undefined) return given;
    const items = new Array<unknown>(given.length);
    let worst: ValueFault | null = null;
    const errors: Fault[] = [];
    for (let i = 0; i < given.length; i++) {
      const fault = values.take(given[i], isParsed);
      if (fault === null) {
        items[i] = keepBlank(given[i], values.plain);
        if (values.size > LARGE) this.noteLarge(values.plain, values.size);
        continue;
      }
      if (worst === null || fault.is === 'no-json') worst = fault;
      errors.push({ path: jsonPointer(['items', i]), message: fault.message });
    }
    if (worst === null) return items;
    const code = worst.is === 'no-json' ? 'invalid-input' : 'value-too-large';
    throw new SluiceError(code, `${errors.length} of the items cannot be accepted: ${errors[0]?.path} ${errors[0]?.message}`, { errors });
  }

  private noteLarge(raw: unknown, size: number): void {
    this.hasLarge = true;
    if (typeof raw === 'object' && raw !== null) this.large.set(raw, size);
  }
}

/** A payload that is undefined is one, though JSON leaves it out. */
function keepBlank(given: unknown, plain: unknown): unknown {
  if (isNamed(plain) && !Object.hasOwn(plain, 'value') && isNamed(given) && Object.hasOwn(given, 'value'))
    return { ...plain, value: undefined };
  return plain;
}
