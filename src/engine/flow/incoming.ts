import { jsonPointer } from '../../schemas/faults.ts';
import type { Metadata } from '../../schemas/item.ts';
import { ITEM_ID_FAULT, isItemId } from '../../schemas/names.ts';
import type { Fault } from '../../schemas/problem.ts';
import { NO_METADATA } from '../model/metadata.ts';

/** An item with an `id`, taken apart by AntFlow's rule: the payload is its `value` if any, else the whole object; other fields are metadata. */
export interface Named {
  id: string;
  value: unknown;
  metadata: Metadata;
}

/** Whether an item brings its own id. Anything else is a payload without one. */
export function isNamed(raw: unknown): raw is { id: unknown } {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && Object.hasOwn(raw, 'id');
}

/** The id that an item brings, a string or a number, as a string; null when it is unusable. */
export function idOf(raw: { id: unknown }): string | null {
  const id = typeof raw.id === 'number' && Number.isFinite(raw.id) ? String(raw.id) : raw.id;
  return typeof id === 'string' && isItemId(id) ? id : null;
}

/** A failed or cancelled result, as answers show it: `input` is the value that was fed. */
interface Reject {
  input: unknown;
  metadata: Metadata;
}

const REJECT_FIELDS = ['value', 'sequenceId', 'feedId'] as const;

/** So particular a shape that no payload has it by chance. */
function isReject(raw: object): raw is Reject {
  const { error, metadata } = raw as { error?: unknown; metadata?: unknown };
  if (typeof error !== 'object' || error === null || !Object.hasOwn(raw, 'input')) return false;
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return false;
  if (!REJECT_FIELDS.every((field) => Object.hasOwn(raw, field))) return false;
  return ['type', 'message', 'stage', 'attempts'].every((field) => Object.hasOwn(error, field));
}

/** Takes apart an item in which {@link idFaults} has found nothing wrong. A failed result becomes the item that it was. */
export function readNamed(raw: { id: unknown }): Named {
  if (isReject(raw)) {
    const { input, metadata } = raw;
    return {
      id: idOf(raw as { id: unknown }) as string,
      value: input,
      metadata: Object.keys(metadata).length === 0 ? NO_METADATA : metadata,
    };
  }
  const { id: _, value, ...rest } = raw as Record<string, unknown>;
  let metadata = NO_METADATA;
  for (const _key in rest) {
    metadata = rest;
    break;
  }
  return { id: idOf(raw) as string, value: Object.hasOwn(raw, 'value') ? value : raw, metadata };
}

/** The most faults that are described one by one: a report must not be larger than the request. */
const FAULTS_TOLD = 100;

/** The number of items with an unusable id, and the first faults. */
export function idFaults(items: readonly unknown[]): { count: number; faults: Fault[] } {
  const faults: Fault[] = [];
  let count = 0;
  for (let i = 0; i < items.length; i++) {
    const raw = items[i];
    if (!isNamed(raw) || idOf(raw) !== null) continue;
    if (++count > FAULTS_TOLD) continue;
    faults.push({ path: jsonPointer(['items', i, 'id']), message: `must be a number or a string: ${ITEM_ID_FAULT}` });
  }
  return { count, faults };
}
