import type { Log, Place } from '../../src/cluster/log/log.ts';
import { NO_TOKEN, tokenOf } from '../../src/cluster/log/token.ts';

/** The place before the first entry. */
export const BEGINNING: Place = { position: 0, token: NO_TOKEN };

/** The place after an entry with these bytes. */
export const afterEntry = (position: number, bytes: Uint8Array): Place => ({ position, token: tokenOf(bytes) });

/** The place after the entry at a position, as whoever has read it knows it. A position without an entry has the token of none. */
export async function placeAt(log: Log, position: number): Promise<Place> {
  const entry = position === 0 ? undefined : await log.read(position);
  return entry === undefined ? { ...BEGINNING, position } : afterEntry(position, entry.bytes);
}

/** Appends after the entry at a position, whichever that is. */
export async function appendAt(log: Log, position: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  return log.append(await placeAt(log, position), bytes, signal);
}
