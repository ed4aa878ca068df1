import { SECRET_LENGTH_MIN } from '../config.ts';
import type { Secrets } from '../engine/ports.ts';
import { createMask } from './masking/mask.ts';

export function createSecrets(values: Readonly<Record<string, string>>): Secrets {
  return { values, mask: createMask(values, SECRET_LENGTH_MIN) };
}
