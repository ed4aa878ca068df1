import { SECRET_LENGTH_MIN } from '../config.ts';
import type { Secrets } from '../engine/ports.ts';
import { createMasks, type Masks } from './masking/mask.ts';

/** One that is too short to be a secret is not masked: it would be found in any text, that of the fault that it is among them. */
export function createSecrets(values: Readonly<Record<string, string>>): Secrets & Masks {
  const maskable = Object.entries(values).filter(([, value]) => value.length >= SECRET_LENGTH_MIN);
  return { values, ...createMasks(Object.fromEntries(maskable), SECRET_LENGTH_MIN) };
}
