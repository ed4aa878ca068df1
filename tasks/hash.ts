import { createHash } from 'node:crypto';
import { z } from 'zod';
import { PermanentError } from '../src/engine/index.ts';
import { canonicalJson } from './kit/canonical-json.ts';
import { declareTask } from './kit/declaration.ts';

const paramsSchema = z
  .strictObject({
    algorithm: z
      .enum(['sha256', 'sha384', 'sha512', 'sha1', 'md5'])
      .default('sha256')
      .meta({ description: '`sha1` and `md5` are for comparison with existing hashes only; neither is secure.' }),
    encoding: z.enum(['hex', 'base64', 'base64url']).default('hex'),
    field: z.string().min(1).optional().meta({
      description:
        'The field of the value, an object, that receives the hash; the hash does not cover this field. By default the hash replaces the value.',
    }),
  })
  .meta({ examples: [{ algorithm: 'sha256', encoding: 'base64url', field: 'digest' }] });

export const hash = declareTask({
  name: 'hash',
  description:
    'Hashes the value as canonical JSON (RFC 8785), so that equal values have equal hashes regardless of the order of their members.',
  params: paramsSchema,
  prepare({ algorithm, encoding, field }) {
    const digest = (value: unknown): string => createHash(algorithm).update(canonicalJson(value)).digest(encoding);
    if (field === undefined) return digest;
    return (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new PermanentError(`the hash cannot be stored in the field "${field}": the value is not an object`);
      }
      // Without an earlier hash: a repetition, after a crash for one, finds the same one again.
      const { [field]: _earlier, ...rest } = value as Record<string, unknown>;
      return { ...rest, [field]: digest(rest) };
    };
  },
});
