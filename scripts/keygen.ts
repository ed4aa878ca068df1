/**
 * Makes a key for a caller: npm run keygen -- NAME SCOPES
 *
 * Prints the key, which only its caller should have, and the line for API_KEYS, which lets it in.
 */
import { createHash, randomBytes } from 'node:crypto';
import { parseApiKeys, SCOPES } from '../src/schemas/api-key.ts';

const [name = '', scopes = ''] = process.argv.slice(2);
const key = `slc_${name}_${randomBytes(32).toString('base64url')}`;
const line = `${name}:${scopes}:${createHash('sha256').update(key).digest('hex')}`;
const { faults } = parseApiKeys(line);
if (faults.length > 0) {
  process.stderr.write(`usage: npm run keygen -- NAME SCOPES    SCOPES of ${SCOPES.join(', ')}, joined by "+"\n`);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = 64;
} else {
  process.stdout.write(`key       ${key}\nAPI_KEYS  ${line}\n`);
}
