import { createHash } from 'node:crypto';

/** Comes before the first entry. */
export const NO_TOKEN = '0'.repeat(32);

export const TOKEN_BYTES = 16;

/** The token of an entry with these bytes: the first half of their SHA-256, in hex. An entry names the token of the one before it, so a token stands for everything up to there. */
export function tokenOf(bytes: Uint8Array): string {
  return createHash('sha256')
    .update(bytes)
    .digest('hex')
    .slice(0, TOKEN_BYTES * 2);
}
