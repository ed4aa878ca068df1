import { jsonPointer } from '../../schemas/faults.ts';
import type { Metadata } from '../../schemas/item.ts';
import { ITEM_ID_FAULT, isItemId } from '../../schemas/names.ts';
import type { Fault } from '../../schemas/problem.ts';
import { NO_METADATA } from '../model/model.ts';

/** What AntFlow's rule makes of an object that has an `id`: its `value` is the payload if it has one, else all of it is; its other fields are metadata. */
export interface Named {
  id: string;
  value: unknown;
  metadata: Metadata;
}

/** Whether an item names itself. Anything else is a payload without a name. */
export function isNamed(raw: unknown): raw is { id: unknown } {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && Object.hasOwn(raw, 'id');
}

/** The name of an item that has one: a string or a number, kept as a string; null when it is no usable id. */
export function idOf(raw: { id: unknown }): string | null {
  const id = typeof raw.id === 'number' && Number.isFinite(raw.id) ? String(raw.id) : raw.id;
  return typeof id === 'string' && isItemId(id) ? id : null;
}

/** Takes an item apart that {@link idFaults} has found nothing wrong with. */
export function readNamed(raw: { id: unknown }): Named {
  const { id: _, value, ...rest } = raw as Record<string, unknown>;
  let metadata = NO_METADATA;
  for (const _key in rest) {
    metadata = rest;
    break;
  }
  return { id: idOf(raw) as string, value: Object.hasOwn(raw, 'value') ? value : raw, metadata };
}

/** So many faults are described one by one: a report must not be larger than what it is about. */
const FAULTS_TOLD = 100;

/** How many items have an id that cannot be used, and the first of them. */
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
